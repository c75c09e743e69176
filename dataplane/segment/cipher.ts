/** AES-256-GCM as segments use it. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { TAG_BYTES } from './layout.ts';

interface Seal {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly associated: readonly Uint8Array[];
}

export function seal(plain: Uint8Array, { key, nonce, associated }: Seal): { sealed: Buffer; tag: Buffer } {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.concat(associated));
  const sealed = cipher.update(plain);
  cipher.final();
  return { sealed, tag: cipher.getAuthTag() };
}

/** Null: not authentic. */
export function openSealed(sealed: Uint8Array, seal: Seal & { readonly tag: Uint8Array }): Buffer | null {
  const decipher = createDecipheriv('aes-256-gcm', seal.key, seal.nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.concat(seal.associated));
  decipher.setAuthTag(seal.tag);
  const plain = decipher.update(sealed);
  try {
    decipher.final();
    return plain;
  } catch {
    return null;
  }
}
