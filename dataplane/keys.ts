import type { DiskId, ProtectedItemId } from '../domain/ids.ts';
import type { VaultKey, VaultStorage } from '../domain/ports.ts';

export interface ItemKey {
  readonly id: Uint8Array;
  segmentKey(disk: DiskId, salt: Uint8Array): Uint8Array;
}
/** Opens the item's data key, making it first when there is none. Racing callers end with the same key. */
export declare function ensureItemKey(
  storage: VaultStorage,
  vaultKey: VaultKey,
  item: ProtectedItemId,
): Promise<ItemKey>;
/** @throws DR_KEY_MISSING */
export declare function openItemKey(
  storage: VaultStorage,
  vaultKey: VaultKey,
  item: ProtectedItemId,
): Promise<ItemKey>;
