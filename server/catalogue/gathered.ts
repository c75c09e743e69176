/**
 * Writes of many at once: what comes while a write is under way goes together with the next one. A projection that
 * thousands of runs write to costs the database a statement for each moment, not for each record.
 */

/** The rows of one statement. */
const ROWS_MAX = 100;

interface Waiting<R> {
  readonly row: R;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface GatheredRow {
  readonly id: string;
  readonly revision: number;
}

/** `write` takes rows of different ids, at most 100. A call ends when its row, or a newer one of the same id, is written. */
export function gathered<R extends GatheredRow>(
  write: (rows: readonly R[]) => Promise<void>,
): (row: R) => Promise<void> {
  let waiting: Waiting<R>[] = [];
  let isWriting = false;

  const writeNext = async () => {
    const batch = waiting.slice(0, ROWS_MAX);
    waiting = waiting.slice(ROWS_MAX);
    const rows = newestOf(batch.map(({ row }) => row));
    try {
      await write(rows);
      for (const { resolve } of batch) resolve();
    } catch (error) {
      if (rows.length === 1) for (const { reject } of batch) reject(error);
      else await Promise.all(batch.map(writeAlone));
    }
  };
  /** One row that the database does not take must not keep the others out. */
  const writeAlone = async ({ row, resolve, reject }: Waiting<R>) => write([row]).then(resolve, reject);
  const drain = async () => {
    isWriting = true;
    while (waiting.length > 0) await writeNext();
    isWriting = false;
  };
  return (row) =>
    new Promise((resolve, reject) => {
      waiting.push({ row, resolve, reject });
      if (!isWriting) void drain();
    });
}

function newestOf<R extends GatheredRow>(rows: readonly R[]): R[] {
  const newest = new Map<string, R>();
  for (const row of rows) if (row.revision >= (newest.get(row.id)?.revision ?? 0)) newest.set(row.id, row);
  return [...newest.values()];
}
