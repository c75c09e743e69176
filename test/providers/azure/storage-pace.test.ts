import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Secret } from '../../../domain/ports.ts';
import { MiB } from '../../../domain/units.ts';
import { crc64 } from '../../../providers/azure/storage/crc64.ts';
import { Pacer } from '../../../providers/azure/storage/pace.ts';
import { retryDelayMs } from '../../../providers/azure/storage/retry.ts';
import { createVaultStorage } from '../../../providers/azure/storage/vault-storage.ts';

/** Microsoft's client library brings its own; it is no dependency of ours. */
const library = createRequire(path.resolve('node_modules/@azure/storage-blob/package.json'));
const { StorageCRC64Calculator } = library('@azure/storage-common') as {
  StorageCRC64Calculator: {
    init(): Promise<void>;
    new (): { final(body: Uint8Array, length: number): Uint8Array };
  };
};

const pageBlob = { requestsPerSecond: 500, bytesPerSecond: 60 * MiB };

describe('the pace of a page blob', () => {
  /** When, in milliseconds, each of so many requests that are ready now may be sent. */
  const times = (pacer: Pacer, count: number, bytes: number, nowMs: number) =>
    Array.from({ length: count }, () => nowMs + pacer.reserve(bytes, nowMs));

  test('is 500 small requests a second behind a burst of a tenth of a second', () => {
    const sent = times(new Pacer(pageBlob), 1_050, 512, 10_000);
    expect(sent.filter((at) => at === 10_000)).toHaveLength(51);
    expect(sent.at(-1)).toBeCloseTo(10_000 + 1_998, 0);
  });

  test('is 60 MiB a second where requests are large', () => {
    const sent = times(new Pacer(pageBlob), 31, 4 * MiB, 10_000);
    expect(sent.at(-1)).toBeCloseTo(10_000 + 1_900, 0);
  });

  test('halves when the service is busy, once for requests that were on their way together, and recovers in a minute', () => {
    const pacer = new Pacer(pageBlob);
    pacer.slowDown(200, 10_000);
    pacer.slowDown(200, 10_050);
    const [first] = times(pacer, 1, 512, 10_050);
    expect(first).toBeCloseTo(10_250, 0);
    const rateAt = (nowMs: number) => {
      times(pacer, 100, 512, nowMs);
      const [from, to] = times(pacer, 2, 512, nowMs);
      return 1_000 / ((to ?? 0) - (from ?? 0));
    };
    expect(rateAt(12_000)).toBeGreaterThan(250);
    expect(rateAt(12_000)).toBeLessThan(300);
    expect(rateAt(45_000)).toBeCloseTo(500, 0);
  });

  test('never stands still, however often the service is busy', () => {
    const pacer = new Pacer(pageBlob);
    for (let second = 0; second < 100; second += 2) pacer.slowDown(0, second * 1_000);
    times(pacer, 100, 512, 100_000);
    const [from, to] = times(pacer, 2, 512, 100_000);
    expect((to ?? 0) - (from ?? 0)).toBeLessThan(1_000 / (500 / 16) + 1);
  });
});

describe('a request that failed', () => {
  let server: Server | undefined;

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** A service that answers these one after the other, the last one for ever. */
  async function serviceOf(
    ...answers: { readonly status: number; readonly headers?: Record<string, string> }[]
  ) {
    let requests = 0;
    server = createServer((request, response) => {
      request.resume().on('end', () => {
        const { status, headers } = answers[Math.min(requests, answers.length - 1)] ?? { status: 500 };
        requests += 1;
        response.writeHead(status, { etag: '"1"', ...headers }).end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const storage = createVaultStorage({
      accountUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/account`,
      container: 'vault',
      credential: {
        kind: 'sharedKey',
        accountName: 'account',
        key: new Secret(Buffer.from('key').toString('base64')),
      },
      retry: { triesMax: 4, delayMs: 1 },
    });
    return { storage, requests: () => requests };
  }

  const busy = { status: 503, headers: { 'x-ms-error-code': 'ServerBusy' } };
  const body = Buffer.from('body');

  test('because the service is busy or broken is sent again until it is carried out', async () => {
    const { storage, requests } = await serviceOf(busy, { status: 500 }, { status: 429 }, { status: 201 });
    expect(await storage.putOnce('a', body)).toBe('created');
    expect(requests()).toBe(4);
  });

  test('too often fails as unreachable', async () => {
    const { storage, requests } = await serviceOf(busy);
    await expect(storage.putOnce('a', body)).rejects.toMatchObject({ code: 'DR_STORAGE_UNREACHABLE' });
    expect(requests()).toBe(4);
  });

  test('because it was refused is not sent again', async () => {
    const { storage, requests } = await serviceOf({ status: 403 });
    await expect(storage.putOnce('a', body)).rejects.toMatchObject({ code: 'DR_STORAGE_REFUSED' });
    expect(requests()).toBe(1);
  });

  test('waits as long as the service asks for', async () => {
    const asked = { ...busy, headers: { ...busy.headers, 'retry-after-ms': '300' } };
    const { storage } = await serviceOf(asked, { status: 201 });
    const startMs = performance.now();
    await storage.putOnce('a', body);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(300);
  });

  test('waits longer each time, half of it by chance', () => {
    const rules = { triesMax: 9, delayMs: 100 };
    const error = new Error('no answer of a service');
    expect(retryDelayMs(rules, 1, error, 0)).toBe(50);
    expect(retryDelayMs(rules, 1, error, 1)).toBe(100);
    expect(retryDelayMs(rules, 4, error, 1)).toBe(800);
    expect(retryDelayMs(rules, 40, error, 1)).toBe(30_000);
  });
});

describe('the CRC64 of a body', () => {
  test("is what Microsoft's own implementation computes", async () => {
    await StorageCRC64Calculator.init();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 5_000 }), (bytes) => {
        const referee = new StorageCRC64Calculator().final(bytes, bytes.length);
        expect(crc64(bytes).equals(Buffer.from(referee))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('has the published check value', () => {
    expect(crc64(Buffer.from('123456789')).readBigUInt64LE()).toBe(0xae8b_1486_0a79_9888n);
  });
});
