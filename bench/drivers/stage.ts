/** Every stage that a first copy cannot do without, alone and as lean as Node allows: what a floor is made of. */
import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { StorageSharedKeyCredential, generateAccountSASQueryParameters } from '@azure/storage-blob';
import { AccountSASPermissions, AccountSASResourceTypes, AccountSASServices } from '@azure/storage-blob';
import { crc32c } from '@node-rs/crc32';
import { Agent, request, type Dispatcher } from 'undici';
import { KiB, MiB } from '../../domain/units.ts';
import { measured, serve, type Measured } from './serve.ts';

const UNIT_BYTES = MiB;
const ZERO_BYTES = 64 * KiB;
const BLOB_BYTES = 8 * MiB;
const PAGE_BYTES = 4 * MiB;
const AT_ONCE = 4;
const SERVICE_VERSION = '2020-10-02';
const ZEROS = Buffer.alloc(ZERO_BYTES);
const ZSTD_1 = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export interface ComputeStages {
  /** CPU seconds by stage. */
  readonly stages: Readonly<Record<string, number>>;
  readonly dataBytes: number;
  readonly sealedBytes: number;
}

export interface StageAccount {
  readonly accountUrl: string;
  readonly accountName: string;
  readonly accountKey: string;
}

export interface StageCalls {
  compute(input: { readonly image: string }): Promise<ComputeStages>;
  open(account: StageAccount): Promise<void>;
  putBlobs(input: { readonly bytes: number }): Promise<Measured>;
  /** What `putBlobs` has put. */
  getBlobs(input: { readonly bytes: number }): Promise<Measured>;
  putPages(input: { readonly bytes: number }): Promise<Measured>;
}

const calls: StageCalls = {
  compute: async ({ image }) => compute(image),
  open: async (account) => {
    accountUrl = account.accountUrl;
    signature = accountSignature(account);
    await send('PUT', '/stages', 'restype=container', {});
  },
  putBlobs: ({ bytes }) =>
    timed(bytes, BLOB_BYTES, (index, length) =>
      send('PUT', `/stages/${index}`, '', { 'x-ms-blob-type': 'BlockBlob' }, body.subarray(0, length)),
    ),
  getBlobs: ({ bytes }) => timed(bytes, BLOB_BYTES, (index) => send('GET', `/stages/${index}`, '', {})),
  async putPages({ bytes }) {
    const length = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    const kind = { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': String(length) };
    await send('PUT', '/stages/pages', '', kind);
    return timed(length, PAGE_BYTES, (index) => {
      const start = index * PAGE_BYTES;
      const range = { 'x-ms-page-write': 'update', 'x-ms-range': `bytes=${start}-${start + PAGE_BYTES - 1}` };
      return send('PUT', '/stages/pages', 'comp=page', range, body.subarray(0, PAGE_BYTES));
    });
  },
};

const body = randomBytes(BLOB_BYTES);
const agent = new Agent({ connections: AT_ONCE, allowH2: false });
let accountUrl = '';
let signature = '';

async function send(
  method: Dispatcher.HttpMethod,
  path: string,
  query: string,
  headers: Record<string, string>,
  bytes?: Buffer,
): Promise<void> {
  const url = `${accountUrl}${path}?${query === '' ? '' : `${query}&`}${signature}`;
  const answer = await request(url, {
    dispatcher: agent,
    method,
    headers: { 'x-ms-version': SERVICE_VERSION, ...headers },
    ...(bytes === undefined ? {} : { body: bytes }),
  });
  await answer.body.dump({ limit: BLOB_BYTES + 1 });
  if (answer.statusCode >= 300) throw new Error(`${method} ${path} answered ${answer.statusCode}`);
}

function accountSignature({ accountName, accountKey }: StageAccount): string {
  return generateAccountSASQueryParameters(
    {
      expiresOn: new Date(Date.now() + 3_600_000),
      permissions: AccountSASPermissions.parse('rwc'),
      resourceTypes: AccountSASResourceTypes.parse('co').toString(),
      services: AccountSASServices.parse('b').toString(),
    },
    new StorageSharedKeyCredential(accountName, accountKey),
  ).toString();
}

async function timed(
  bytes: number,
  partBytes: number,
  work: (index: number, length: number) => Promise<void>,
): Promise<Measured> {
  const parts = Array.from({ length: Math.ceil(bytes / partBytes) }, (_, index) => index).values();
  const { result: _, ...times } = await measured(() =>
    Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const index of parts) await work(index, Math.min(partBytes, bytes - index * partBytes));
      }),
    ),
  );
  return times;
}

/** Unit by unit through all stages, so that nothing is kept; each stage's own CPU time is added up. */
function compute(image: string): ComputeStages {
  const stages: Record<string, number> = {};
  const take = <T>(stage: string, work: () => T): T => {
    const before = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(before);
    stages[stage] = (stages[stage] ?? 0) + (user + system) / 1e6;
    return result;
  };
  const [piece, unit, key] = [Buffer.alloc(UNIT_BYTES), Buffer.alloc(UNIT_BYTES), randomBytes(32)];
  let [dataBytes, sealedBytes, units] = [0, 0, 0];
  const file = openSync(image, 'r');
  const pass = (data: Buffer) => {
    units += 1;
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32LE(units);
    const crc = take('CRC-32C at the source', () => crc32c(data));
    const packed = take('zstd 1', () => zstdCompressSync(data, ZSTD_1));
    const { sealed, tag } = take('AES-256-GCM seal', () => {
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const bytes = cipher.update(packed);
      cipher.final();
      return { sealed: bytes, tag: cipher.getAuthTag() };
    });
    take('SHA-256 at the source', () => hash('sha256', sealed));
    take('SHA-256 at the applier', () => hash('sha256', sealed));
    const opened = take('AES-256-GCM open', () => {
      const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAuthTag(tag);
      const bytes = decipher.update(sealed);
      decipher.final();
      return bytes;
    });
    const raw = take('zstd, back', () => zstdDecompressSync(opened));
    if (take('CRC-32C at the applier', () => crc32c(raw)) !== crc) throw new Error('the stages lose bytes');
    dataBytes += data.length;
    sealedBytes += sealed.length;
  };
  try {
    let filled = 0;
    for (let at = 0; ; at += UNIT_BYTES) {
      const length = readSync(file, piece, 0, UNIT_BYTES, at);
      for (let start = 0; start < length; start += ZERO_BYTES) {
        const part = piece.subarray(start, Math.min(start + ZERO_BYTES, length));
        if (take('zero test', () => part.equals(ZEROS.subarray(0, part.length)))) continue;
        part.copy(unit, filled);
        filled += part.length;
        if (filled < UNIT_BYTES) continue;
        pass(unit);
        filled = 0;
      }
      if (length < UNIT_BYTES) break;
    }
    if (filled > 0) pass(unit.subarray(0, filled));
  } finally {
    closeSync(file);
  }
  return { stages, dataBytes, sealedBytes };
}

await serve({ ...calls });
