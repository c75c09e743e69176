/** Pieces of a simulated run, and how they are put together: after each other, beside each other, and as far as there is room. */
import { admit, giveBack, hold, type Applicant, type Needs, type Supply } from './scheduler.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Something of a run that takes time. */
export interface Part {
  /** Unique inside a run. */
  readonly id: string;
  readonly kind: 'step' | 'machine';
  /** Of the step or the machine. */
  readonly name: string;
  /** Absent: it stands around the whole run, or is prepared for all groups together. */
  readonly group?: string;
}

/** When something ended, and what had to end before it: from the last one back, the critical path. */
export interface Moment {
  readonly seconds: number;
  readonly part?: Part;
  readonly before?: Moment;
}

export const BEGIN: Moment = { seconds: 0 };

/** Calls `done` once, with the moment at which it was over. */
export type Play = (from: Moment, done: (at: Moment) => void) => void;

export function lasting(clock: VirtualClock, part: Part, seconds: number): Play {
  return (from, done) => {
    const at = { seconds: from.seconds + seconds, part, before: from };
    clock.at(at.seconds, () => done(at));
  };
}

export function inTurn(...plays: readonly Play[]): Play {
  return (from, done) => {
    const playNext = (index: number, at: Moment): void => {
      const next = plays[index];
      if (next === undefined) done(at);
      else next(at, (ended) => playNext(index + 1, ended));
    };
    playNext(0, from);
  };
}

/** Over with the last of them. */
export function together(plays: readonly Play[]): Play {
  return (from, done) => {
    let left = plays.length;
    if (left === 0) return done(from);
    for (const play of plays) {
      play(from, (at) => {
        left -= 1;
        if (left === 0) done(at);
      });
    }
  };
}

/** Something that one play opens and others wait for. */
export interface Gate {
  readonly open: Play;
  readonly pass: Play;
}

export function gateOf(): Gate {
  let opened: Moment | undefined;
  const waiting: ((at: Moment) => void)[] = [];
  return {
    open(from, done) {
      opened = from;
      for (const pass of waiting.splice(0)) pass(from);
      done(from);
    },
    pass(from, done) {
      const later = (at: Moment) => done(at.seconds > from.seconds ? at : from);
      if (opened === undefined) waiting.push(later);
      else later(opened);
    },
  };
}

interface Waiting {
  readonly order: number;
  readonly from: Moment;
  readonly applicant: Applicant;
  readonly begin: (at: Moment) => void;
}

/** Room that plays share: each begins when `admit` lets it, and gives back what it holds when it is over. */
export class Room {
  readonly #supplies: readonly Supply[];
  #held: Needs = {};
  #applied = 0;
  /** By what is needed: where the first does not fit, those behind it do not either. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(supplies: readonly Supply[]) {
    this.#supplies = supplies;
  }

  within(applicant: Applicant, play: Play): Play {
    return (from, done) => {
      const begin = (at: Moment) => {
        this.#held = hold(this.#held, applicant.needs);
        play(at, (ended) => {
          this.#held = giveBack(this.#held, applicant.needs, this.#supplies, 'something');
          this.#admitNext(ended);
          done(ended);
        });
      };
      const waiting = { order: this.#applied, from, applicant, begin };
      this.#applied += 1;
      if (this.#fits([waiting]).length === 1) begin(from);
      else this.#wait(waiting);
    };
  }

  #wait(waiting: Waiting): void {
    const key = JSON.stringify(waiting.applicant.needs);
    const queue = this.#waiting.get(key);
    if (queue === undefined) this.#waiting.set(key, [waiting]);
    else queue.push(waiting);
  }

  /** Who has waited longest of those that fit, until nobody fits. */
  #admitNext(at: Moment): void {
    while (this.#waiting.size > 0) {
      const queues = [...this.#waiting].toSorted(([, [a]], [, [b]]) => (a?.order ?? 0) - (b?.order ?? 0));
      const first = queues.flatMap(([key, [waiting]]) =>
        waiting === undefined ? [] : [{ key, ...waiting }],
      );
      const [next] = this.#fits(first);
      if (next === undefined) return;
      const queue = this.#waiting.get(next.key);
      queue?.shift();
      if (queue?.length === 0) this.#waiting.delete(next.key);
      next.begin(at);
    }
  }

  #fits<W extends Waiting>(waiting: readonly W[]): W[] {
    const { begin } = admit(
      waiting.map(({ applicant }) => applicant),
      this.#held,
      this.#supplies,
    );
    return waiting.filter(({ applicant }) => begin.includes(applicant.id));
  }
}
