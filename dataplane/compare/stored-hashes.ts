/**
 * Block hashes on their way from one side to the other: `header | digests | HMAC of both`, all integers little-endian,
 * as docs/wire-format.md describes it. Nobody without the item's key can alter what is not copied.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import { DIGEST_BYTES } from './block-digest.ts';
import type { BlockHashes } from './block-hashes.ts';
import { blockCount } from './block-hashes.ts';

const MAGIC = Buffer.from('SWBKHSH2', 'latin1');
const HEADER_BYTES = 64;
const MAC_BYTES = 32;

/** Whose hashes. */
export interface HashedDisk {
  readonly stream: ProtectedItemId;
  readonly disk: DiskId;
  readonly epoch: number;
  /** `ItemKey.compareKey` of the disk. */
  readonly key: Uint8Array;
}

/** Replaces what the epoch stored before. */
export async function saveBlockHashes(
  storage: VaultStorage,
  hashed: HashedDisk,
  hashes: BlockHashes,
): Promise<void> {
  const header = encodeHeader(hashed, hashes);
  const body = Buffer.concat([header, hashes.digests, macOf(hashed, [header, hashes.digests])]);
  await storage.put(blobNames.blockHashes(hashed.stream, hashed.disk, hashed.epoch), body);
}

/** @throws DR_JOURNAL_GAP when there are none of that disk, epoch and key, or they are torn or altered */
export async function loadBlockHashes(
  storage: VaultStorage,
  hashed: HashedDisk,
  signal?: AbortSignal,
): Promise<BlockHashes> {
  const name = blobNames.blockHashes(hashed.stream, hashed.disk, hashed.epoch);
  const stored = await storage.get(name, signal);
  const hashes = stored === null ? null : decode(Buffer.from(stored.body), hashed);
  if (hashes !== null) return hashes;
  const reason = `${name} ${stored === null ? 'does not exist' : 'is altered, or of another version'}`;
  throw new DrError('DR_JOURNAL_GAP', { item: hashed.stream, reason });
}

/** Forgets all hashes of the stream; absent is done. */
export async function deleteBlockHashes(storage: VaultStorage, stream: ProtectedItemId): Promise<void> {
  for await (const { name } of storage.list(blobNames.blockHashesPrefix(stream))) await storage.delete(name);
}

function encodeHeader({ disk, epoch }: HashedDisk, hashes: BlockHashes): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header, 0);
  header.writeUInt32LE(hashes.blockBytes, 8);
  header.writeUInt32LE(DIGEST_BYTES, 12);
  header.write(disk, 16, 'hex');
  header.writeBigUInt64LE(BigInt(epoch), 32);
  header.writeBigUInt64LE(BigInt(hashes.capacityBytes), 40);
  header.writeBigUInt64LE(BigInt(blockCount(hashes)), 48);
  return header;
}

function macOf({ key }: HashedDisk, parts: readonly Uint8Array[]): Buffer {
  const mac = createHmac('sha256', key).update('file');
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Null: not the hashes of that disk and epoch, or damaged. */
function decode(body: Buffer, hashed: HashedDisk): BlockHashes | null {
  if (body.length < HEADER_BYTES + MAC_BYTES) return null;
  const macAt = body.length - MAC_BYTES;
  if (!timingSafeEqual(macOf(hashed, [body.subarray(0, macAt)]), body.subarray(macAt))) return null;
  const hashes = {
    blockBytes: body.readUInt32LE(8),
    capacityBytes: Number(body.readBigUInt64LE(40)),
    digests: body.subarray(HEADER_BYTES, macAt),
  };
  const isWhole = hashes.digests.length === blockCount(hashes) * DIGEST_BYTES;
  return isWhole && encodeHeader(hashed, hashes).equals(body.subarray(0, HEADER_BYTES)) ? hashes : null;
}
