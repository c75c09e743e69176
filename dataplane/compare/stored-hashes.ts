/**
 * Block hashes on their way from one side to the other: `header | digests | SHA-256 of both`, all integers
 * little-endian, as docs/wire-format.md describes it.
 */
import { createHash } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { BlockHashes } from './block-hashes.ts';
import { DIGEST_BYTES, blockCount } from './block-hashes.ts';

const MAGIC = Buffer.from('SWBKHSH1', 'latin1');
const HEADER_BYTES = 64;
const CHECKSUM_BYTES = 32;

/** Replaces what the epoch stored before. */
export async function saveBlockHashes(
  storage: VaultStorage,
  stream: ProtectedItemId,
  disk: DiskId,
  epoch: number,
  hashes: BlockHashes,
): Promise<void> {
  const header = encodeHeader(disk, epoch, hashes);
  const checksum = createHash('sha256').update(header).update(hashes.digests).digest();
  const body = Buffer.concat([header, hashes.digests, checksum]);
  await storage.put(blobNames.blockHashes(stream, disk, epoch), body);
}

/** @throws DR_JOURNAL_GAP when there are none of that disk and epoch, or they are torn or altered */
export async function loadBlockHashes(
  storage: VaultStorage,
  stream: ProtectedItemId,
  disk: DiskId,
  epoch: number,
  signal?: AbortSignal,
): Promise<BlockHashes> {
  const name = blobNames.blockHashes(stream, disk, epoch);
  const stored = await storage.get(name, signal);
  const hashes = stored === null ? null : decode(Buffer.from(stored.body), disk, epoch);
  if (hashes !== null) return hashes;
  const reason = `${name} ${stored === null ? 'does not exist' : 'is altered'}`;
  throw new DrError('DR_JOURNAL_GAP', { item: stream, reason });
}

/** Forgets all hashes of the stream; absent is done. */
export async function deleteBlockHashes(storage: VaultStorage, stream: ProtectedItemId): Promise<void> {
  for await (const { name } of storage.list(blobNames.blockHashesPrefix(stream))) await storage.delete(name);
}

function encodeHeader(disk: DiskId, epoch: number, hashes: BlockHashes): Buffer {
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

/** Null: not the hashes of that disk and epoch, or damaged. */
function decode(body: Buffer, disk: DiskId, epoch: number): BlockHashes | null {
  if (body.length < HEADER_BYTES + CHECKSUM_BYTES) return null;
  const checksumAt = body.length - CHECKSUM_BYTES;
  const checksum = createHash('sha256').update(body.subarray(0, checksumAt)).digest();
  if (!checksum.equals(body.subarray(checksumAt))) return null;
  const hashes = {
    blockBytes: body.readUInt32LE(8),
    capacityBytes: Number(body.readBigUInt64LE(40)),
    digests: body.subarray(HEADER_BYTES, checksumAt),
  };
  const isWhole = hashes.digests.length === blockCount(hashes) * DIGEST_BYTES;
  return isWhole && encodeHeader(disk, epoch, hashes).equals(body.subarray(0, HEADER_BYTES)) ? hashes : null;
}
