import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier, ChainTail } from '../../domain/replication.ts';

export declare function readBarrier(
  storage: VaultStorage,
  item: ProtectedItemId,
  number: number,
  signal?: AbortSignal,
): Promise<Barrier | null>;
export declare function latestBarrier(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<Barrier | null>;
export declare function tailsAfter(
  barrier: Barrier | null,
  disks: readonly DiskId[],
): ReadonlyMap<DiskId, ChainTail>;
