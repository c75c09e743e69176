/**
 * Which machines of a run may begin now. Nothing is moved in batches of a size: each machine says what it needs of what
 * is scarce, and begins as soon as that is free. Who fits may overtake who does not; whoever waits is told for what.
 */

/** Something that machines of a run share and that may run out. */
export interface Supply {
  readonly id: string;
  /** For people, after a number: `cores in westeurope`. */
  readonly name: string;
  /** Free for this run, before any of its machines has begun. */
  readonly free: number;
  /** A machine that has started keeps its cores until the run is over; a turn at a vCenter it gives back. */
  readonly keptBy: 'run' | 'move';
}

/** By id of the supply; what no supply bounds is free. */
export type Needs = Readonly<Record<string, number>>;

export interface Applicant {
  readonly id: string;
  readonly needs: Needs;
}

export interface Admission {
  readonly begin: readonly string[];
  readonly waits: readonly { readonly id: string; readonly reason: string }[];
}

/** In order of application. `held`: what those that have begun hold, by id of the supply. */
export function admit(applicants: readonly Applicant[], held: Needs, supplies: readonly Supply[]): Admission {
  const begin: string[] = [];
  const waits: { readonly id: string; readonly reason: string }[] = [];
  let taken = held;
  for (const { id, needs } of applicants) {
    const missing = supplies.filter((supply) => lacks(supply, needs, taken));
    if (missing.length === 0) {
      begin.push(id);
      taken = sum(taken, needs, 1);
    } else waits.push({ id, reason: reasonOf(missing, needs) });
  }
  return { begin, waits };
}

export function hold(held: Needs, needs: Needs): Needs {
  return sum(held, needs, 1);
}

/** When its move has ended. A move that made nothing gives back everything. */
export function giveBack(
  held: Needs,
  needs: Needs,
  supplies: readonly Supply[],
  made: 'something' | 'nothing',
): Needs {
  const kept = new Set(supplies.filter(({ keptBy }) => keptBy === 'run').map(({ id }) => id));
  const returned = Object.entries(needs).filter(([id]) => made === 'nothing' || !kept.has(id));
  return sum(held, Object.fromEntries(returned), -1);
}

/** Whoever needs nothing of it does not wait for it, even where more than there is was handed out. */
function lacks(supply: Supply, needs: Needs, held: Needs): boolean {
  const wanted = needs[supply.id] ?? 0;
  return wanted > 0 && wanted > freeOf(supply, held);
}

function freeOf({ id, free }: Supply, held: Needs): number {
  return free - (held[id] ?? 0);
}

/** Stays the same while the machine waits for the same. */
function reasonOf(missing: readonly Supply[], needs: Needs): string {
  return `waits for ${missing.map(({ id, name }) => `${needs[id] ?? 0} ${name}`).join(' and ')}`;
}

function sum(held: Needs, needs: Needs, sign: 1 | -1): Needs {
  const next: Record<string, number> = { ...held };
  for (const [id, count] of Object.entries(needs)) next[id] = (next[id] ?? 0) + sign * count;
  return next;
}
