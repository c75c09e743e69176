import type { DiskId, ProtectedItemId } from '../domain/ids.ts';
import type { VaultStorage } from '../domain/ports.ts';
import type { RecoveryPoint } from '../domain/replication.ts';

/** Newest first. */
export declare function listPoints(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<RecoveryPoint[]>;
export declare function deletePoint(storage: VaultStorage, point: RecoveryPoint): Promise<void>;
export declare function pruneJournal(
  storage: VaultStorage,
  item: ProtectedItemId,
  disks: readonly DiskId[],
  keepFromBarrier: number,
): Promise<{ readonly deletedBarriers: number; readonly deletedSegments: number }>;
/** SHA-256, hexadecimal, of the first `bytes` bytes of a snapshot. */
export declare function hashSnapshot(
  storage: VaultStorage,
  blob: string,
  snapshotId: string,
  bytes: number,
  signal?: AbortSignal,
): Promise<string>;
