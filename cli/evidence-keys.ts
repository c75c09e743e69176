/** What checking a bundle needs of cryptography, and the keys that an auditor trusts. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { EvidenceCheck } from '../domain/evidence/verify.ts';
import { invalid } from './connection.ts';

export const evidenceCheck: EvidenceCheck = {
  sha256: (text) => createHash('sha256').update(text, 'utf8').digest('hex'),
  sha256OfBytes: (hex) => createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex'),
  isSigned(message, signature, publicKey) {
    try {
      const key = createPublicKey({ key: Buffer.from(publicKey, 'hex'), format: 'der', type: 'spki' });
      if (key.asymmetricKeyType !== 'ed25519') return false;
      return verify(null, Buffer.from(message, 'utf8'), key, Buffer.from(signature, 'hex'));
    } catch {
      return false;
    }
  },
};

/**
 * SubjectPublicKeyInfo, hexadecimal, of a public key in a PEM file.
 * @throws DR_REQUEST_INVALID, also for a private key: it has no business with an auditor
 */
export async function trustedKeyIn(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8').catch((error: unknown) => {
    throw invalid(`${file} cannot be read`, error);
  });
  if (pem.includes('PRIVATE KEY')) throw invalid(`${file} is a private key; give its public half`);
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519')
      return key.export({ type: 'spki', format: 'der' }).toString('hex');
  } catch (error) {
    throw invalid(`${file} is no public key in PEM`, error);
  }
  throw invalid(`${file} is no Ed25519 key`);
}
