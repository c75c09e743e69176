/**
 * The key that signs evidence: Ed25519, PKCS#8 in a PEM file that only its owner reads. Its public half lies beside it,
 * for auditors: `<file>.pub.pem`.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type KeyObject,
} from 'node:crypto';
import { open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { DrError } from '../../domain/errors.ts';
import type { EvidenceSigner } from '../../domain/evidence/chain.ts';

export interface EvidenceKey extends EvidenceSigner {
  /** SubjectPublicKeyInfo. */
  readonly publicKeyPem: string;
}

export function publicKeyFileOf(file: string): string {
  return `${file}.pub.pem`;
}

/**
 * Makes a new key. An existing file is never touched.
 * @throws DR_CONFIG_INVALID
 */
export async function createEvidenceKeyFile(file: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw keyFileError(file, reasonOf(cause), cause);
  }
}

/**
 * Opens the key and writes its public half beside it where that is missing or of another key.
 * @throws DR_CONFIG_INVALID when the file is missing, readable by others or no Ed25519 key.
 */
export async function openEvidenceKey(file: string): Promise<EvidenceKey> {
  const privateKey = await readPrivateKey(file);
  const publicKey = createPublicKey(privateKey);
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' });
  await exportPublicKey(publicKeyFileOf(file), publicKeyPem);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return {
    keyId: createHash('sha256').update(spki).digest('hex'),
    publicKey: spki.toString('hex'),
    publicKeyPem,
    sha256: (text) => createHash('sha256').update(text, 'utf8').digest('hex'),
    sign: (message) => sign(null, Buffer.from(message, 'utf8'), privateKey).toString('hex'),
  };
}

async function readPrivateKey(file: string): Promise<KeyObject> {
  let mode: number;
  let pem: string;
  try {
    ({ mode } = await stat(file));
    pem = await readFile(file, 'utf8');
  } catch (cause) {
    throw keyFileError(file, reasonOf(cause), cause);
  }
  if ((mode & 0o077) !== 0) throw keyFileError(file, 'others may read it; set its mode to 0600');
  const key = privateKeyOf(pem);
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw keyFileError(file, 'it is no Ed25519 key in PEM (PKCS#8)');
}

/** What OpenSSL says about a broken key may quote it: it is left out. */
function privateKeyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

async function exportPublicKey(file: string, pem: string): Promise<void> {
  try {
    const there = await readFile(file, 'utf8').catch(() => undefined);
    if (there === pem) return;
    const half = `${file}.half`;
    await writeFile(half, pem, { mode: 0o644 });
    await rename(half, file);
  } catch (cause) {
    throw keyFileError(file, reasonOf(cause), cause);
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function keyFileError(file: string, reason: string, cause?: unknown): DrError {
  return new DrError('DR_CONFIG_INVALID', { problems: `evidence key file ${file}: ${reason}` }, { cause });
}
