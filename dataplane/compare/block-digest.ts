/** Keyed digests of the blocks of a disk: who has no key can neither find two blocks with one digest nor guess a block. */
import { createHmac, hash } from 'node:crypto';

/** SHA-256, cut: no two blocks of all disks there are have the same 16 bytes by accident. */
export const DIGEST_BYTES = 16;
/** One block of SHA-256: the key is mixed in before the first byte of the data. */
const KEY_BLOCK_BYTES = 64;

/** What `digestBlocks` takes, from the key of the disk's comparison. */
export function digestKey(compareKey: Uint8Array): Uint8Array {
  return createHmac('sha256', compareKey).update('blocks').digest();
}

/**
 * Digests of `data` cut into blocks, one behind the other: the first half of SHA-256 over `key | zeros to 64 bytes |
 * block`. Cutting it is what makes a key in front enough (chop-MD: Coron et al., CRYPTO 2005); HMAC costs twice as
 * much for blocks of 4 KiB.
 */
export function digestBlocks(data: Uint8Array, blockBytes: number, key: Uint8Array): Buffer {
  const digests = Buffer.allocUnsafe(Math.ceil(data.length / blockBytes) * DIGEST_BYTES);
  const message = new Uint8Array(KEY_BLOCK_BYTES + blockBytes);
  message.set(key);
  for (let at = 0, to = 0; at < data.length; at += blockBytes, to += DIGEST_BYTES) {
    const block = data.subarray(at, at + blockBytes);
    message.set(block, KEY_BLOCK_BYTES);
    const whole = KEY_BLOCK_BYTES + block.length;
    const digest = hash('sha256', whole === message.length ? message : message.subarray(0, whole), 'latin1');
    digests.write(digest, to, DIGEST_BYTES, 'latin1');
  }
  return digests;
}
