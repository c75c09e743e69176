/** A bundle in a file, and the verdict over it. */
import { open } from 'node:fs/promises';
import { verifyEvidenceFile } from '../../../api/evidence-file.ts';
import { DrError } from '../../../domain/errors.ts';
import type { Verdict } from '../../../domain/evidence/verify.ts';
import { MiB } from '../../../domain/units.ts';
import { invalid } from '../../connection.ts';
import { evidenceCheck, trustedKeyIn } from '../../evidence-keys.ts';

/** A bundle of a thousand machines has about three. */
const FILE_BYTES_MAX = 256 * MiB;

export type Verified = Extract<Verdict, { verdict: 'verified' }>;

export async function verdictOf(file: string, keyFiles: readonly string[]): Promise<Verdict> {
  const trustedKeys = await Promise.all(keyFiles.map(trustedKeyIn));
  return verifyEvidenceFile(await bytesOf(file), { check: evidenceCheck, trustedKeys });
}

/** @throws DR_EVIDENCE_ALTERED, DR_EVIDENCE_KEY */
export function verified(file: string, verdict: Verdict): Verified {
  if (verdict.verdict === 'verified') return verdict;
  if (verdict.verdict === 'otherKey') throw new DrError('DR_EVIDENCE_KEY', { file, keyId: verdict.keyId });
  const { place, reason } = verdict;
  throw new DrError('DR_EVIDENCE_ALTERED', { file, place, reason });
}

async function bytesOf(file: string): Promise<Buffer> {
  const handle = await open(file).catch((error: unknown) => {
    throw invalid(`${file} cannot be read`, error);
  });
  try {
    const { size } = await handle.stat();
    if (size > FILE_BYTES_MAX)
      throw invalid(`${file} has ${size} bytes, a bundle has at most ${FILE_BYTES_MAX}`);
    return await handle.readFile();
  } catch (error) {
    if (error instanceof DrError) throw error;
    throw invalid(`${file} cannot be read`, error);
  } finally {
    await handle.close();
  }
}
