/** `switchback segment`: files of the journal, looked at without any server. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ensureItemKey, type ItemKey } from '../../dataplane/keys.ts';
import { FRAME_BYTES, HEADER_BYTES, TAG_BYTES, TRAILER_BYTES } from '../../dataplane/segment/layout.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import { MiB } from '../../domain/units.ts';
import { createFileVaultKey, createVaultKeyFile } from '../../providers/vault/file-vault-key.ts';
import { ITEM, makeSegment } from '../dataplane/support/segments.ts';
import { runCli } from './run.ts';

let folder: string;
let key: ItemKey;
let first: ReturnType<typeof makeSegment>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-segment-'));
  await createVaultKeyFile(join(folder, 'vault.key'));
  await createVaultKeyFile(join(folder, 'other.key'));
  const record = new Map<string, Uint8Array>();
  const storage = {
    get: async (name: string) => {
      const body = record.get(name);
      return body === undefined ? null : { body, etag: '' };
    },
    putOnce: async (name: string, body: Uint8Array) => {
      record.set(name, body);
      return 'created' as const;
    },
  } satisfies Partial<VaultStorage> as unknown as VaultStorage;
  key = await ensureItemKey(storage, await createFileVaultKey(join(folder, 'vault.key')), ITEM);
  await writeFile(join(folder, 'item.json'), record.get(blobNames.key(ITEM)) ?? '');
  first = makeSegment(key, [
    { kind: 'write', offset: 0, data: randomBytes(3 * MiB) },
    { kind: 'write', offset: 8 * MiB, data: Buffer.alloc(2 * MiB, 'text ') },
    { kind: 'zero', offset: 32 * MiB, length: MiB },
  ]);
});
afterAll(() => rm(folder, { recursive: true }));

const keys = () => `--key-file ${folder}/vault.key --item-key ${folder}/item.json`;
const segment = (line: string) => runCli(`segment ${line}`.split(' '));

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

async function inspected(bytes: Uint8Array) {
  const path = await file('inspected.seg', bytes);
  const ran = await segment(`inspect ${path} --output json`);
  expect(ran.exit).toBe(0);
  return JSON.parse(ran.stdout);
}

test('a whole segment is told unit by unit, with its place in the chain, and verifies with and without its key', async () => {
  const { bytes, expected } = first;
  const seen = await inspected(bytes);
  const units = expected.ref.lastSeq;
  expect(seen).toMatchObject({
    state: 'whole',
    bytes: bytes.length,
    sha256: expected.ref.sha256,
    header: { epoch: 7, firstSeq: 1, keyId: key.id, prevHash: expected.tail.hash },
    trailer: { units, lastSeq: units },
  });
  expect(seen.units.map(({ codec }: { codec: string }) => codec)).toEqual(
    expect.arrayContaining(['stored', 'zstd']),
  );
  const path = await file('whole.seg', bytes);
  expect((await segment(`inspect ${path}`)).stdout).toMatch(/zstd +0\.0/);
  expect(await segment(`verify ${path}`)).toMatchObject({ exit: 0 });
  const ran = await segment(`verify ${path} ${keys()} --output json`);
  expect(ran).toMatchObject({ exit: 0, stderr: '' });
  const records = seen.units.reduce((sum: number, each: { records: number }) => sum + each.records, 0);
  expect(JSON.parse(ran.stdout)).toMatchObject([{ authenticity: { isAuthentic: true, records } }]);
});

test('a torn segment is told up to where it is whole, wherever it was cut', async () => {
  const { bytes } = first;
  const { units } = await inspected(bytes);
  const ends = [HEADER_BYTES];
  for (const { sealedBytes } of units) ends.push((ends.at(-1) ?? 0) + FRAME_BYTES + sealedBytes + TAG_BYTES);
  const whole = await inspected(bytes.subarray(0, ends[3] ?? 0));
  expect(whole).toMatchObject({
    state: 'torn',
    reason: 'torn: it ends before the next unit or the trailer; units 1-3 are whole',
  });
  expect(await inspected(bytes.subarray(0, (ends[3] ?? 0) + FRAME_BYTES + 5))).toMatchObject({
    state: 'torn',
    reason: 'torn: it ends inside unit 4; units 1-3 are whole',
  });
  expect(await inspected(bytes.subarray(0, HEADER_BYTES - 1))).toMatchObject({
    state: 'torn',
    reason: 'torn: it ends inside the header',
  });
  const cut = await inspected(bytes.subarray(0, bytes.length - TRAILER_BYTES + 40));
  expect(cut.reason).toMatch(/inside the trailer/);
  const path = await file('torn.seg', bytes.subarray(0, -TRAILER_BYTES - 7));
  const ran = await segment(`verify ${path} ${keys()}`);
  expect(ran.exit).toBe(7);
  expect(ran.stdout).toMatch(/yes, \d+ records/);
  expect(ran.stderr).toMatch(/torn\.seg does not hold: torn: it ends inside unit/);
});

test('one altered bit is found: without a key by the hash, with it by the unit', async () => {
  const altered = Buffer.from(first.bytes);
  const at = HEADER_BYTES + FRAME_BYTES + 100;
  altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
  const path = await file('altered.seg', altered);
  const ran = await segment(`verify ${path} ${keys()}`);
  expect(ran.exit).toBe(7);
  expect(ran.stderr).toContain('its SHA-256 differs from the trailer');
  expect(ran.stdout).toContain('no: unit 1 is not authentic');
});

test('files verify as a chain, and one that does not follow is named', async () => {
  const { ref } = first.expected;
  const next = makeSegment(key, [{ kind: 'zero', offset: 0, length: MiB }], {
    tail: { nextSeq: ref.lastSeq + 1, hash: ref.sha256 },
  });
  const [one, two] = [await file('one.seg', first.bytes), await file('two.seg', next.bytes)];
  expect(await segment(`verify ${one} ${two} ${keys()}`)).toMatchObject({ exit: 0 });
  const ran = await segment(`verify ${two} ${one}`);
  expect(ran.exit).toBe(7);
  expect(ran.stderr).toContain('one.seg does not hold: it does not follow the file before it');
});

test('what is no segment, a missing file, half of the keys and another vault key are refused in words', async () => {
  const noise = await file('noise.seg', randomBytes(500));
  expect((await segment(`verify ${noise}`)).stderr).toContain('the header is altered, or this is no segment');
  expect(await segment(`inspect ${folder}/absent.seg`)).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('absent.seg cannot be read'),
  });
  const path = await file('whole.seg', first.bytes);
  const half = await segment(`verify ${path} --key-file ${folder}/vault.key`);
  expect(half).toMatchObject({ exit: 2, stderr: expect.stringContaining('--item-key') });
  const foreign = await segment(
    `verify ${path} --key-file ${folder}/other.key --item-key ${folder}/item.json`,
  );
  expect(foreign.stderr).toContain('DR_KEY_MISSING');
});
