/** A record with every field in it, and a key that is always the same one. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { verifyEvidenceFile } from '../../../api/evidence-file.ts';
import { evidenceCheck } from '../../../cli/evidence-keys.ts';
import { sealRecord, type EvidenceSigner } from '../../../domain/evidence/chain.ts';
import type { RunRecord } from '../../../domain/evidence/record.ts';
import { renderPage } from '../../../domain/evidence/render.ts';
import type { Verdict } from '../../../domain/evidence/verify.ts';

const { sha256 } = evidenceCheck;

const PLAN = `apiVersion: switchback/v1
kind: RecoveryPlan
name: shop
groups:
  - name: database
    members: [{ machine: db-01 }]
  - name: web
    after: database
    members: [{ machine: web-01 }]
`;

export const sampleRecord: RunRecord = {
  apiVersion: 'switchback/evidence/v1',
  run: {
    id: '5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11',
    kind: 'test',
    startedBy: 'administrator',
    startedAt: '2026-11-21T19:00:00.000Z',
    endedAt: '2026-11-21T19:14:21.250Z',
    outcome: 'succeeded',
    rpoSeconds: { target: 300, reached: 42 },
    rtoSeconds: { target: 1800, reached: 861.25 },
  },
  plan: { name: 'shop', version: 3, sha256: sha256(PLAN), text: PLAN },
  members: [
    {
      machineName: 'db-01',
      itemId: '00000000-0000-4000-8000-000000000001',
      group: 'database',
      recoveryPoint: { id: 'p000012', time: '2026-11-21T18:59:18.000Z', consistency: 'application' },
      source: 'notAsked',
      rpoSeconds: 42,
      rtoSeconds: 312.4,
      disks: [
        {
          id: '0123456789abcdef0123456789abcdef',
          bytes: 68_719_476_736,
          hashOf: 'last segment of the point, SHA-256',
          hash: sha256('disk 1'),
        },
      ],
      azureIds: [
        '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sb-5e0c1d3a/providers/Microsoft.Compute/virtualMachines/db-01',
      ],
      address: '10.9.0.4',
      startedAt: '2026-11-21T19:00:02.000Z',
      endedAt: '2026-11-21T19:05:14.400Z',
      outcome: 'succeeded',
      detail: 'VM running at 10.9.0.4',
    },
    {
      machineName: 'web-01',
      itemId: '00000000-0000-4000-8000-000000000002',
      group: 'web',
      outcome: 'skipped',
      error: {
        code: 'DR_POINT_NONE',
        message: '"web-01" has no recovery point for the choice latest',
        remedy: 'Wait for replication to make one, or choose another kind of point.',
      },
    },
  ],
  steps: [
    {
      name: 'tell-the-desk',
      where: 'the run',
      action: 'webhook',
      isCritical: false,
      tries: 1,
      startedAt: '2026-11-21T19:00:00.100Z',
      endedAt: '2026-11-21T19:00:00.400Z',
      outcome: 'succeeded',
      detail: '204 in 300 ms',
      observed: { status: 204, milliseconds: 300 },
    },
    {
      name: 'allow-the-drill',
      where: 'group database',
      action: 'manual',
      isCritical: true,
      startedAt: '2026-11-21T19:00:00.500Z',
      endedAt: '2026-11-21T19:00:01.900Z',
      outcome: 'succeeded',
      approval: {
        answer: 'approved',
        by: 'erika.mustermann',
        at: '2026-11-21T19:00:01.800Z',
        reason: 'The desk knows.',
      },
    },
    { name: 'boot-log', where: 'db-01', action: 'probe', outcome: 'skipped' },
    {
      name: 'database-answers',
      where: 'db-01',
      action: 'probe',
      isCritical: true,
      tries: 2,
      startedAt: '2026-11-21T19:05:14.500Z',
      endedAt: '2026-11-21T19:05:17.000Z',
      outcome: 'succeeded',
      detail: '1 row in 12 ms',
      observed: { status: 'answered', answer: '4711', milliseconds: 12.5, tls: true },
    },
  ],
  decisions: [
    {
      by: 'erika.mustermann',
      at: '2026-11-21T19:06:00.000Z',
      decision: 'skip',
      step: 'web-01',
      reason: 'It joined the plan an hour ago.',
    },
  ],
  cleanup: {
    runTag: '5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11',
    providers: ['Azure Resource Manager', 'storage account'],
    remaining: [],
    at: '2026-11-21T19:14:20.000Z',
  },
  prediction: {
    rtoSecondsP50: 840,
    rtoSecondsP90: 1100,
    rpoSeconds: 60,
    madeAt: '2026-11-21T18:59:59.000Z',
  },
};

/** PKCS#8 of an Ed25519 key: the bytes before its 32 secret ones. */
const PKCS8 = '302e020100300506032b657004220420';

/** The key of the examples: anybody can make it. */
export const exampleKey = createPrivateKey({
  key: Buffer.from(`${PKCS8}${'07'.repeat(32)}`, 'hex'),
  format: 'der',
  type: 'pkcs8',
});

export const someKey = () => generateKeyPairSync('ed25519').privateKey;

export function publicKeyOf(key: KeyObject): { readonly hex: string; readonly pem: string } {
  const half = createPublicKey(key);
  return {
    hex: half.export({ type: 'spki', format: 'der' }).toString('hex'),
    pem: half.export({ type: 'spki', format: 'pem' }),
  };
}

export function signerOf(key: KeyObject): EvidenceSigner {
  const publicKey = publicKeyOf(key).hex;
  return {
    keyId: evidenceCheck.sha256OfBytes(publicKey),
    publicKey,
    sha256,
    sign: (message) => sign(null, Buffer.from(message, 'utf8'), key).toString('hex'),
  };
}

export const SOFTWARE = 'switchback 0.1.0';

export function fileOf(record: RunRecord = sampleRecord, key: KeyObject = exampleKey): string {
  return renderPage(sealRecord(record, signerOf(key), SOFTWARE)).html;
}

/** With the example key trusted. */
export function verdictOf(
  file: string | Uint8Array,
  trustedKeys: readonly string[] = [publicKeyOf(exampleKey).hex],
): Verdict {
  const bytes = typeof file === 'string' ? Buffer.from(file, 'utf8') : file;
  return verifyEvidenceFile(bytes, { check: evidenceCheck, trustedKeys });
}
