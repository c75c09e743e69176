/** Evidence as the configuration server writes and serves it: its key, its activities, its pages. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { createEvidenceActivities } from '../activities/evidence/create-evidence-activities.ts';
import { recordProblem } from '../api/evidence-file.ts';
import type { Config } from '../config/load.ts';
import { blobNames } from '../domain/names.ts';
import {
  createEvidenceKeyFile,
  openEvidenceKey,
  publicKeyFileOf,
  type EvidenceKey,
} from '../providers/evidence/evidence-key.ts';
import type { Catalogue } from '../server/catalogue/catalogue.ts';
import type { Evidence } from '../server/deps.ts';
import { vaultStorage } from './ports.ts';

export interface EvidenceParts {
  readonly activities: ReturnType<typeof createEvidenceActivities>;
  readonly served: Evidence;
}

export async function evidenceParts(
  config: Config,
  log: Logger,
  {
    catalogue,
    version,
  }: { readonly catalogue: Pick<Catalogue, 'plan' | 'lastVerifications'>; readonly version: string },
): Promise<EvidenceParts> {
  const key = await ensureEvidenceKey(config.evidence.keyFile, log);
  const storage = await vaultStorage(config);
  const activities = createEvidenceActivities({
    storage,
    signer: key,
    software: `switchback ${version}`,
    planText: async (name, number) => (await catalogue.plan(name, number))?.text,
    lastVerifications: (itemIds) => catalogue.lastVerifications(itemIds),
    problemOf: recordProblem,
  });
  const page = async (plan: string, run: string) => {
    const found = await storage.get(blobNames.evidence(plan, run));
    return found === null ? null : Buffer.from(found.body).toString('utf8');
  };
  const { keyId, publicKeyPem } = key;
  return { activities, served: { page, key: { keyId, publicKeyPem } } };
}

/** First start: an installation begins with a key of its own. */
async function ensureEvidenceKey(file: string, log: Logger): Promise<EvidenceKey> {
  if (!existsSync(file)) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await createEvidenceKeyFile(file);
    const publicKeyFile = publicKeyFileOf(file);
    log.warn(
      { file, publicKeyFile },
      'made a new key for evidence: give its public half to whoever will verify',
    );
  }
  return openEvidenceKey(file);
}
