/** The activity that writes evidence, against Microsoft's storage emulator. */
import { createHash, createPublicKey } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  createEvidenceActivities,
  type EvidencePorts,
} from '../../activities/evidence/create-evidence-activities.ts';
import { pino } from 'pino';
import { recordProblem } from '../../api/evidence-file.ts';
import { loadConfig } from '../../config/load.ts';
import type { RunRecord } from '../../domain/evidence/record.ts';
import { asId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import { createVaultStorage, ensureContainer } from '../../providers/azure/storage/vault-storage.ts';
import {
  createEvidenceKeyFile,
  openEvidenceKey,
  publicKeyFileOf,
} from '../../providers/evidence/evidence-key.ts';
import { evidenceParts } from '../../workers/evidence.ts';
import { startAzurite, type Azurite } from '../providers/azure/support/azurite.ts';
import { exampleKey, sampleRecord, signerOf, SOFTWARE, verdictOf } from './support/bundle.ts';

let azurite: Azurite;
let storage: VaultStorage;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-evidence-'));
  azurite = await startAzurite();
  await ensureContainer(azurite.storage('vault'));
  storage = createVaultStorage(azurite.storage('vault'));
});
afterAll(async () => {
  await azurite.stop();
  await rm(folder, { recursive: true });
});

const { text, ...planWithoutText } = sampleRecord.plan;

function activities(over: Partial<EvidencePorts> = {}) {
  const signer = signerOf(exampleKey);
  return createEvidenceActivities({
    storage,
    signer,
    software: SOFTWARE,
    planText: async () => text,
    lastVerifications: async () => new Map(),
    problemOf: recordProblem,
    ...over,
  });
}

const ofRun = (id: string): RunRecord => ({
  ...sampleRecord,
  run: { ...sampleRecord.run, id },
  plan: planWithoutText,
});

test('evidence is written once, with the text of the plan that the run has pinned', async () => {
  const record = ofRun('run-1');
  const written = await activities().writeEvidence({ record });
  expect(written.blob).toBe('evidence/shop/run-1.html');
  const found = await storage.get(written.blob);
  const verdict = verdictOf(found?.body ?? new Uint8Array());
  expect(verdict).toMatchObject({ verdict: 'verified', isKeyTrusted: true, head: written.head });
  expect('record' in verdict && verdict.record.plan.text).toBe(text);
  expect(signerOf(exampleKey).sha256(Buffer.from(found?.body ?? []).toString('utf8'))).toBe(written.sha256);
});

describe('boot logs and verifications', () => {
  const BOOT = 'Linux version 6.1\nlogin: \u001b[32mok\n';
  const sha256 = createHash('sha256').update(BOOT).digest('hex');
  const withLog = (id: string): RunRecord => {
    const [first, ...others] = sampleRecord.members;
    if (first === undefined) throw new Error('the sample has machines');
    const bootLog = { at: '2026-11-21T19:14:00.000Z', bytes: BOOT.length, sha256 };
    return { ...ofRun(id), members: [{ ...first, bootLog }, ...others] };
  };
  const blobOf = (id: string) => blobNames.bootLog('shop', id, asId(sampleRecord.members[0]?.itemId ?? ''));
  const readBack = async (blob: string) => {
    const verdict = verdictOf((await storage.get(blob))?.body ?? new Uint8Array());
    if (!('record' in verdict)) throw new Error(verdict.verdict);
    return verdict.record.members[0];
  };

  test('that were kept stand in the record, and a repeated call answers the same file', async () => {
    await storage.putOnce(blobOf('run-b1'), Buffer.from(BOOT));
    const verification = {
      job: 'verify-1',
      endedAt: '2026-11-20T10:00:00.000Z',
      pointId: 'p000011',
      comparedBytes: 1_048_576,
      changedBytes: 0,
      differingBytes: 0,
    };
    const asked: string[] = [];
    const over: Partial<EvidencePorts> = {
      async lastVerifications(itemIds) {
        asked.push(...itemIds);
        return new Map([[itemIds[0] ?? '', verification]]);
      },
    };
    const first = await activities(over).writeEvidence({ record: withLog('run-b1') });
    expect(asked).toEqual(sampleRecord.members.map(({ itemId }) => itemId));
    expect(await readBack(first.blob)).toMatchObject({ bootLog: { text: BOOT, sha256 }, verification });
    expect(await activities().writeEvidence({ record: withLog('run-b1') })).toEqual(first);
  });

  test('of many machines are read beside each other, but not all at once', async () => {
    const first = sampleRecord.members[0];
    if (first === undefined) throw new Error('the sample has machines');
    const bootLog = { at: '2026-11-21T19:14:00.000Z', bytes: BOOT.length, sha256 };
    const many = Array.from({ length: 40 }, (_, n) => ({ ...first, itemId: `item-${n}`, bootLog }));
    let underWay = 0;
    let most = 0;
    const counting: EvidencePorts['storage'] = {
      putOnce: (...given) => storage.putOnce(...given),
      async get(blob) {
        underWay += 1;
        most = Math.max(most, underWay);
        try {
          return await storage.get(blob);
        } finally {
          underWay -= 1;
        }
      },
    };
    const record = { ...ofRun('run-b3'), members: many };
    const { blob } = await activities({ storage: counting }).writeEvidence({ record });
    expect(most).toBe(16);
    const verdict = verdictOf((await storage.get(blob))?.body ?? new Uint8Array());
    const named = 'record' in verdict && verdict.record.members.map(({ itemId }) => itemId);
    expect(named).toEqual(many.map(({ itemId }) => itemId));
  });

  test('that are not what was kept are left out: the hash stays', async () => {
    await storage.putOnce(blobOf('run-b2'), Buffer.from('another log'));
    const { blob } = await activities().writeEvidence({ record: withLog('run-b2') });
    const { bootLog } = (await readBack(blob)) ?? {};
    expect(bootLog).toMatchObject({ sha256 });
    expect(bootLog).not.toHaveProperty('text');
  });
});

test('a repeated call answers the first one’s file, also with another key, another release and without the text', async () => {
  const record = ofRun('run-2');
  const first = await activities().writeEvidence({ record });
  const file = join(folder, 'other.key');
  await createEvidenceKeyFile(file);
  const signer = await openEvidenceKey(file);
  const later = activities({ signer, software: 'switchback 9.9.9', planText: async () => undefined });
  expect(await later.writeEvidence({ record })).toEqual(first);
  const other = { ...record, decisions: [] };
  await expect(later.writeEvidence({ record: other })).rejects.toMatchObject({
    code: 'DR_EVIDENCE_REFUSED',
    message: expect.stringContaining('never replaced'),
  });
  expect(verdictOf((await storage.get(first.blob))?.body ?? new Uint8Array())).toMatchObject({
    head: first.head,
  });
});

test('another text than the one that the run has pinned does not become evidence', async () => {
  const written = await activities({ planText: async () => `${text}# later` }).writeEvidence({
    record: ofRun('run-3'),
  });
  const verdict = verdictOf((await storage.get(written.blob))?.body ?? new Uint8Array());
  expect('record' in verdict && 'text' in verdict.record.plan).toBe(false);
});

test('a record that nobody could verify is refused by its field, and nothing is written', async () => {
  const [step] = sampleRecord.steps;
  const record = { ...ofRun('run-4'), steps: [{ ...step, tries: 1.5 }] } as RunRecord;
  await expect(activities().writeEvidence({ record })).rejects.toMatchObject({
    code: 'DR_EVIDENCE_REFUSED',
    message: expect.stringContaining('step: tries'),
  });
  expect(await storage.get('evidence/shop/run-4.html')).toBeNull();
});

test('a configuration server makes its key at its first start, keeps it, and serves what it wrote', async () => {
  const { accountUrl, container, credential } = azurite.storage('vault');
  if (credential.kind !== 'sharedKey') throw new Error('the emulator is used with its key');
  const keyFile = join(folder, 'account.key');
  await writeFile(keyFile, credential.key.reveal());
  const config = await loadConfig({
    env: {},
    flags: {
      dataDir: join(folder, 'data'),
      'storage.accountUrl': accountUrl,
      'storage.container': container,
      'storage.sharedKey.accountName': credential.accountName,
      'storage.sharedKey.keyFile': keyFile,
      'storage.transferChecksum': 'none',
      'azure.subscriptionId': '00000000-0000-0000-0000-000000000000',
      'azure.location': 'westeurope',
      'azure.identity.kind': 'managedIdentity',
      'diskTransport.kind': 'exportService',
    },
  });
  const parts = {
    catalogue: { plan: async () => undefined, lastVerifications: async () => new Map() },
    version: '0.1.0',
  };
  const log = pino({ level: 'silent' });
  const { activities, served } = await evidenceParts(config, log, parts);
  await activities.writeEvidence({ record: ofRun('run-6') });
  const page = await served.page('shop', 'run-6');
  const trusted = createPublicKey(served.key.publicKeyPem).export({ type: 'spki', format: 'der' });
  expect(verdictOf(page ?? '', [trusted.toString('hex')])).toMatchObject({ isKeyTrusted: true });
  expect(await served.page('shop', 'unheard-of')).toBeNull();
  expect((await evidenceParts(config, log, parts)).served.key).toEqual(served.key);
  expect(await readFile(join(folder, 'data/evidence.key.pub.pem'), 'utf8')).toBe(served.key.publicKeyPem);
});

test('a key is made once for its owner alone, and its public half lies beside it', async () => {
  const file = join(folder, 'evidence.key');
  await createEvidenceKeyFile(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await expect(createEvidenceKeyFile(file)).rejects.toMatchObject({ code: 'DR_CONFIG_INVALID' });
  const key = await openEvidenceKey(file);
  expect(await readFile(publicKeyFileOf(file), 'utf8')).toBe(key.publicKeyPem);
  expect(await openEvidenceKey(file)).toMatchObject({ keyId: key.keyId });
});

test('what is no key, or is open to others, is refused without being quoted', async () => {
  const file = join(folder, 'bad.key');
  await writeFile(file, '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n', {
    mode: 0o600,
  });
  const refused = await openEvidenceKey(file).catch((error: Error) => error.message);
  expect(refused).toMatch('no Ed25519 key');
  expect(refused).not.toMatch('c2VjcmV0');
  await expect(openEvidenceKey(file)).rejects.toMatchObject({
    code: 'DR_CONFIG_INVALID',
    message: expect.stringContaining('no Ed25519 key'),
  });
  await writeFile(join(folder, 'open.key'), 'x', { mode: 0o644 });
  await expect(openEvidenceKey(join(folder, 'open.key'))).rejects.toMatchObject({
    message: expect.stringContaining('0600'),
  });
});
