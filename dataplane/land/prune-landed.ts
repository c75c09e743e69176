import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import { pruneJournalBefore } from '../journal/prune.ts';
import { readLanded } from './landed-record.ts';

/** Removes what the journal keeps of barriers before the one the disks at home hold, or are being given. */
export async function pruneLandedJournal(
  storage: VaultStorage,
  stream: ProtectedItemId,
  disks: readonly DiskId[],
): Promise<{ readonly deletedBarriers: number; readonly deletedSegments: number }> {
  return pruneJournalBefore(
    storage,
    stream,
    disks,
    async () => (await readLanded(storage, stream))?.barrier ?? 0,
  );
}
