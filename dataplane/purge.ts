/** The end of a protected item, or of a stream of its own, in the storage account. */
import { DrError } from '../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../domain/ids.ts';
import { blobNames } from '../domain/names.ts';
import type { VaultStorage } from '../domain/ports.ts';
import { mapBounded } from './budget.ts';
import { barrierNumbers, readBarrier } from './journal/barriers.ts';

const REQUESTS_AT_ONCE = 8;

/**
 * Deletes everything of the item: manifests, pins, block hashes, scrub records, replicas with their snapshots (whoever holds their
 * leases), segments of `disks` and of every disk its barriers name, barriers, landed state, item record, data key.
 * The fence stays: which side may run the machine outlives its protection. One kind ends before the next begins,
 * so that an interrupted call leaves no point without its replica, no segment that only a deleted barrier led to,
 * and nothing that its key is missing for. Safe when repeated; whoever still writes must have been stopped before.
 * Disks that only an altered barrier names are not found.
 * @throws DR_STORAGE_…, the signal's reason
 */
export async function purgeItem(
  storage: VaultStorage,
  item: ProtectedItemId,
  disks: readonly DiskId[],
  signal: AbortSignal,
): Promise<{ readonly deletedBlobs: number }> {
  signal.throwIfAborted();
  const journals = new Set([...disks, ...(await disksOfBarriers(storage, item, signal))]);
  const prefixes = [
    blobNames.pointPrefix(item),
    blobNames.pinPrefix(item),
    blobNames.blockHashesPrefix(item),
    blobNames.scrubPrefix(item),
    blobNames.replicaPrefix(item),
    ...[...journals].map((disk) => blobNames.journalPrefix(disk)),
    blobNames.barrierPrefix(item),
    blobNames.landed(item),
    blobNames.item(item),
    blobNames.key(item),
  ];
  let deletedBlobs = 0;
  for (const prefix of prefixes) deletedBlobs += await deleteBelow(storage, prefix, signal);
  return { deletedBlobs };
}

async function disksOfBarriers(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal: AbortSignal,
): Promise<DiskId[]> {
  const numbers = await barrierNumbers(storage, item, signal);
  const disks = await mapBounded(numbers, REQUESTS_AT_ONCE, async (number) => {
    const barrier = await readBarrier(storage, item, number, signal).catch(nullWhenAltered);
    return barrier?.disks.map((disk) => disk.diskId) ?? [];
  });
  return disks.flat();
}

function nullWhenAltered(error: unknown): null {
  if (error instanceof DrError && error.code === 'DR_JOURNAL_GAP') return null;
  throw error;
}

async function deleteBelow(storage: VaultStorage, prefix: string, signal: AbortSignal): Promise<number> {
  const names: string[] = [];
  for await (const { name } of storage.list(prefix, signal)) names.push(name);
  await mapBounded(names, REQUESTS_AT_ONCE, async (name) => {
    signal.throwIfAborted();
    await storage.delete(name);
  });
  return names.length;
}
