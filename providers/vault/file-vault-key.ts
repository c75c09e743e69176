/**
 * `VaultKey` from a file of 32 random bytes. A sealed text is
 * `version (1) · key id (8) · nonce (12) · AES-256-GCM ciphertext · tag (16)`; the bytes before the nonce and the
 * context are authenticated with it, so a text sealed for one purpose opens for no other.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { DrError } from '../../domain/errors.ts';
import type { VaultKey } from '../../domain/ports.ts';

const VERSION = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES;
const CIPHER = 'aes-256-gcm';

/**
 * Makes a new key in a file that only its owner reads. An existing file is never touched.
 * @throws DR_CONFIG_INVALID
 */
export async function createVaultKeyFile(file: string): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(randomBytes(KEY_BYTES));
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw keyFileError(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** @throws DR_CONFIG_INVALID when the file is missing, readable by others or not a key. */
export async function createFileVaultKey(file: string): Promise<VaultKey> {
  const key = await readKey(file);
  const keyId = createHash('sha256').update(key).digest().subarray(0, KEY_ID_BYTES);
  const header = Buffer.concat([Buffer.of(VERSION), keyId]);
  return {
    keyId: keyId.toString('hex'),
    async seal(plain, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce);
      cipher.setAAD(boundTo(header, context));
      return Buffer.concat([header, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    async open(sealed, context) {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      checkHeader(bytes, header, context);
      const nonce = bytes.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(boundTo(header, context));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const body = bytes.subarray(HEADER_BYTES + NONCE_BYTES, -TAG_BYTES);
        return Buffer.concat([decipher.update(body), decipher.final()]);
      } catch (cause) {
        throw cannotOpen(context, 'it was altered, or sealed for something else', cause);
      }
    },
  };
}

async function readKey(file: string): Promise<Buffer> {
  let mode: number;
  let key: Buffer;
  try {
    ({ mode } = await stat(file));
    key = await readFile(file);
  } catch (cause) {
    throw keyFileError(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
  if ((mode & 0o077) !== 0) throw keyFileError(file, 'others may read it; set its mode to 0600');
  if (key.byteLength !== KEY_BYTES) throw keyFileError(file, `it has ${key.byteLength} bytes instead of 32`);
  return key;
}

function boundTo(header: Buffer, context: string): Buffer {
  return Buffer.concat([header, Buffer.from(context, 'utf8')]);
}

function checkHeader(bytes: Buffer, header: Buffer, context: string): void {
  if (bytes.byteLength < HEADER_BYTES + NONCE_BYTES + TAG_BYTES || bytes[0] !== VERSION) {
    throw cannotOpen(context, 'it is not a sealed text of this version');
  }
  const sealedBy = bytes.subarray(1, HEADER_BYTES);
  if (sealedBy.equals(header.subarray(1))) return;
  const reason = `vault key ${sealedBy.toString('hex')} sealed it, this is ${header.subarray(1).toString('hex')}`;
  throw cannotOpen(context, reason);
}

function cannotOpen(context: string, reason: string, cause?: unknown): DrError {
  return new DrError('DR_KEY_MISSING', { item: context, reason }, { cause });
}

function keyFileError(file: string, reason: string, cause?: unknown): DrError {
  return new DrError('DR_CONFIG_INVALID', { problems: `vault key file ${file}: ${reason}` }, { cause });
}
