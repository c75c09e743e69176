/** Removes what the journal keeps of barriers that are applied, and of attempts that came to nothing. */
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier } from '../../domain/replication.ts';
import { readAppliedState } from '../apply/replica.ts';
import { mapBounded } from '../budget.ts';
import { barrierNumbers, readBarrier } from './barriers.ts';

const REQUESTS_AT_ONCE = 8;

interface PrunedJournal {
  readonly deletedBarriers: number;
  readonly deletedSegments: number;
}

/** As `pruneJournalBefore`, but deletes no barrier that a replica of `disks` has not applied. */
export async function pruneJournal(
  storage: VaultStorage,
  item: ProtectedItemId,
  disks: readonly DiskId[],
  keepFromBarrier: number,
): Promise<PrunedJournal> {
  return pruneJournalBefore(storage, item, disks, async () =>
    Math.min(keepFromBarrier, await appliedEverywhere(storage, item, disks)),
  );
}

/**
 * Deletes barriers before the one that `keepFromBarrier` answers, with their segments; and segments that no kept
 * barrier names, of epochs older than the newest barrier's. Such an epoch can make no barrier any more, because epochs
 * never shrink along the barriers, and the one barrier that could have taken its segments over exists already. Safe
 * beside running attempts and when repeated.
 */
export async function pruneJournalBefore(
  storage: VaultStorage,
  item: ProtectedItemId,
  disks: readonly DiskId[],
  keepFromBarrier: () => Promise<number>,
): Promise<PrunedJournal> {
  // Listed before anything is read: a barrier that comes into being from here on is newer than all of this.
  const segments = await listSegments(storage, disks);
  const keepFrom = await keepFromBarrier();
  const numbers = await barrierNumbers(storage, item);
  const kept = await readAll(
    storage,
    item,
    numbers.filter((number) => number >= keepFrom),
  );
  const dropped = await readAll(
    storage,
    item,
    numbers.filter((number) => number < keepFrom),
  );

  const needed = segmentNames(kept);
  const obsolete = segmentNames(dropped);
  const newestEpoch = kept.at(-1)?.epoch ?? 0;
  const garbage = segments.filter(
    ({ name, epoch }) => !needed.has(name) && (obsolete.has(name) || epoch < newestEpoch),
  );
  await mapBounded(garbage, REQUESTS_AT_ONCE, ({ name }) => storage.delete(name));
  // Barriers go last, so that an interrupted call finds their segments again.
  await mapBounded(dropped, REQUESTS_AT_ONCE, ({ number }) =>
    storage.delete(blobNames.barrier(item, number)),
  );
  return { deletedBarriers: dropped.length, deletedSegments: garbage.length };
}

/** The last barrier that every replica holds; 0 while one of them does not exist. */
async function appliedEverywhere(
  storage: VaultStorage,
  item: ProtectedItemId,
  disks: readonly DiskId[],
): Promise<number> {
  const states = await mapBounded(disks, REQUESTS_AT_ONCE, (disk) =>
    readAppliedState(storage.replica(blobNames.replica(item, disk))),
  );
  return states.length === 0 ? 0 : Math.min(...states.map((state) => state?.barrier ?? 0));
}

async function listSegments(
  storage: VaultStorage,
  disks: readonly DiskId[],
): Promise<{ readonly name: string; readonly epoch: number }[]> {
  const found: { readonly name: string; readonly epoch: number }[] = [];
  for (const disk of disks) {
    for await (const { name } of storage.list(blobNames.journalPrefix(disk))) {
      const epoch = /\/(\d+)\/\d+\.seg$/.exec(name)?.[1];
      if (epoch !== undefined) found.push({ name, epoch: Number(epoch) });
    }
  }
  return found;
}

async function readAll(
  storage: VaultStorage,
  item: ProtectedItemId,
  numbers: readonly number[],
): Promise<Barrier[]> {
  const barriers = await mapBounded(numbers, REQUESTS_AT_ONCE, (number) =>
    readBarrier(storage, item, number),
  );
  return barriers.filter((barrier) => barrier !== null);
}

function segmentNames(barriers: readonly Barrier[]): ReadonlySet<string> {
  return new Set(
    barriers.flatMap((barrier) => barrier.disks.flatMap((disk) => disk.segments.map((ref) => ref.blob))),
  );
}
