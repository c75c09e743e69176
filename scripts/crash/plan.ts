/** What is still to be killed where, and which operation leads there. */
import { isAt, moveNames, moves, type MoveName, type Place } from '../../test/e2e/support/moves.ts';
import { stepsOf } from '../../test/e2e/support/steps.ts';
import { victims, type Victim } from '../../test/e2e/support/strike.ts';
import type { Random } from '../../test/support/random.ts';

/** One kill that is to land. */
export interface Target {
  readonly move: MoveName;
  readonly step: string;
  readonly victim: Victim;
}

/** A step over before anybody sees it is given up after this many tries. */
const TRIES_MAX = 6;

export class Plan {
  readonly total: number;
  #open: readonly Target[];
  readonly #tooShort: Target[] = [];
  readonly #tries = new Map<string, number>();
  readonly #done = new Map<MoveName, number>();

  /** Every step of every move × every process, in a seeded order; of `steps` (`move:step`) only, when there are any. */
  constructor(random: Random, only: readonly MoveName[] = moveNames, steps: readonly string[] = []) {
    const all = only
      .flatMap((move) =>
        stepsOf(move).flatMap((step) => victims.map((victim): Target => ({ move, step, victim }))),
      )
      .filter(({ move, step }) => steps.length === 0 || steps.includes(`${move}:${step}`));
    this.total = all.length;
    this.#open = random.shuffled(all);
  }

  get open(): readonly Target[] {
    return this.#open;
  }

  get tooShort(): readonly Target[] {
    return this.#tooShort;
  }

  get covered(): number {
    return this.total - this.#open.length - this.#tooShort.length;
  }

  /** Up to `count` for one run of this move, in the order of its steps; no step twice. */
  next(move: MoveName, count: number): Target[] {
    const steps = stepsOf(move);
    const chosen: Target[] = [];
    for (const target of this.#open) {
      const isNew = target.move === move && !chosen.some(({ step }) => step === target.step);
      if (isNew && chosen.length < count) chosen.push(target);
    }
    return chosen.toSorted((a, b) => steps.indexOf(a.step) - steps.indexOf(b.step));
  }

  tries(target: Target): number {
    return this.#tries.get(nameOf(target)) ?? 0;
  }

  hit(target: Target): void {
    const before = this.#open.length;
    this.#open = this.#open.filter((each) => nameOf(each) !== nameOf(target));
    if (this.#open.length < before) this.#done.set(target.move, (this.#done.get(target.move) ?? 0) + 1);
  }

  missed(target: Target): void {
    const tries = this.tries(target) + 1;
    this.#tries.set(nameOf(target), tries);
    const others = this.#open.filter((each) => nameOf(each) !== nameOf(target));
    if (others.length === this.#open.length) return;
    if (tries >= TRIES_MAX) this.#tooShort.push(target);
    this.#open = tries >= TRIES_MAX ? others : [...others, target];
  }

  /** A step without any time of its own: nothing can be killed while it runs. */
  isInstant({ move, step }: Target): void {
    const isIt = (each: Target) => each.move === move && each.step === step;
    this.#tooShort.push(...this.#open.filter(isIt));
    this.#open = this.#open.filter((each) => !isIt(each));
  }

  /** The move to make from here: on the shortest way to the one that had the fewest kills and still wants some. */
  moveFrom(place: Place): MoveName | undefined {
    const wanted = [...new Set(this.#open.map(({ move }) => move))];
    const ways = wanted.flatMap((move) => {
      const way = wayTo(place, move);
      return way === undefined ? [] : [{ way, done: this.#done.get(move) ?? 0 }];
    });
    ways.sort((a, b) => a.done - b.done || a.way.length - b.way.length);
    return ways[0]?.way[0];
  }
}

export function movesFrom(place: Place): MoveName[] {
  return moveNames.filter((move) => isAt(moves[move].from, place));
}

/** Shortest sequence of moves that ends with the one wanted. */
export function wayTo(place: Place, wanted: MoveName): MoveName[] | undefined {
  const ways: { readonly at: Place; readonly way: readonly MoveName[] }[] = [{ at: place, way: [] }];
  for (const { at, way } of ways) {
    if (way.length > moveNames.length) return undefined;
    for (const move of movesFrom(at)) {
      if (move === wanted) return [...way, move];
      if (!way.includes(move)) ways.push({ at: moves[move].to, way: [...way, move] });
    }
  }
  return undefined;
}

function nameOf({ move, step, victim }: Target): string {
  return `${move} ${step} ${victim}`;
}
