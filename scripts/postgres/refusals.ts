/** What the product's reader says to streams like those of the negative control: the error code of each. */
import { DrError } from '../../domain/errors.ts';
import type { Victim } from './sabotage.ts';

export async function refusals({ points, stream, diskIds }: Victim): Promise<Record<string, string>> {
  const [first, before, point] = points;
  const barriers = stream.between(first.barrierNumber, point.barrierNumber) ?? [];
  const [diskId] = diskIds;
  const segments = barriers.flatMap((barrier) =>
    stream.chain(barrier, diskId).map((chained) => ({ barrier, chained })),
  );
  const [earlier, later] = [segments[0], segments.at(-1)];
  if (earlier === undefined || later === undefined || earlier === later) {
    throw new Error(`no two segments before barrier ${before.barrierNumber} and after it`);
  }
  const { barrier, chained } = later;
  const outOfTurn = { ref: chained.ref, tail: earlier.chained.tail };
  const middle = Math.floor(chained.ref.wireBytes / 2);
  const cut = (bytes: Buffer) => Buffer.concat([bytes.subarray(0, middle), bytes.subarray(middle + 512)]);
  return {
    'a segment before its turn': await codeOf(stream.open(barrier, diskId, outOfTurn)),
    'a segment with something left out': await codeOf(stream.open(barrier, diskId, chained, cut)),
  };
}

async function codeOf(records: AsyncIterable<unknown>): Promise<string> {
  try {
    for await (const _ of records);
    return 'accepted';
  } catch (error) {
    return error instanceof DrError ? error.code : (error as Error).message;
  }
}
