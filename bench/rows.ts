/** What was measured, as plain numbers whose names end in their unit. */

export type Metrics = Readonly<Record<string, number>>;

export interface Ran {
  /** In the order they were run. */
  readonly runs: readonly Metrics[];
}

export interface Absent {
  /** Why it could not run. */
  readonly absent: string;
}

export interface Row {
  readonly row: string;
  readonly title: string;
  /** By name; ours is `switchback`, or begins with it. */
  readonly contenders: Readonly<Record<string, Ran | Absent>>;
  /** Lines for the table. */
  readonly notes?: readonly string[];
  /** A file beside the results that holds more. */
  readonly file?: string;
}

export const OURS = 'switchback';

/** The quickest run, or the first where none has a wall time; null: it did not run. */
export function bestRun(contender: Ran | Absent | undefined): Metrics | null {
  if (contender === undefined || 'absent' in contender) return null;
  const wall = (run: Metrics) => run['wallSeconds'] ?? Infinity;
  return contender.runs.toSorted((a, b) => wall(a) - wall(b))[0] ?? null;
}

/** Gathers runs of several contenders for several rows, in any order. */
export class RowBook {
  readonly #titles: ReadonlyMap<string, string>;
  readonly #contenders = new Map<string, Map<string, Metrics[] | Absent>>();

  /** The titles, and with them the rows, in the order of the table. */
  constructor(titles: Readonly<Record<string, string>>) {
    this.#titles = new Map(Object.entries(titles));
  }

  add(row: string, contender: string, metrics: Metrics): void {
    const found = this.#of(row).get(contender);
    if (Array.isArray(found)) found.push(metrics);
    else this.#of(row).set(contender, [metrics]);
  }

  /** The reason counts for rows the contender has no run of. */
  cannot(row: string, contender: string, absent: string): void {
    if (!this.#of(row).has(contender)) this.#of(row).set(contender, { absent });
  }

  rows(): Row[] {
    return [...this.#titles].flatMap(([row, title]) => {
      const contenders = this.#contenders.get(row);
      if (contenders === undefined) return [];
      const entries = [...contenders].map(([name, found]): [string, Ran | Absent] => [
        name,
        Array.isArray(found) ? { runs: found } : found,
      ]);
      return [{ row, title, contenders: Object.fromEntries(entries) }];
    });
  }

  #of(row: string): Map<string, Metrics[] | Absent> {
    if (!this.#titles.has(row)) throw new Error(`no row ${row}`);
    const found = this.#contenders.get(row) ?? new Map<string, Metrics[] | Absent>();
    this.#contenders.set(row, found);
    return found;
  }
}
