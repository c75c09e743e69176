import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ensureServerTls, reachableHosts } from '../../server/tls.ts';

const DAY_MS = 86_400_000;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-tls-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('authority and certificate outlive a restart; keys are for their owner only', async () => {
  const first = await ensureServerTls({ folder, hosts: ['127.0.0.1', 'localhost'] });
  const again = await ensureServerTls({ folder, hosts: ['127.0.0.1', 'localhost'] });
  expect(again).toEqual(first);
  for (const key of ['authority.key', 'server.key']) {
    expect((await stat(join(folder, key))).mode & 0o777).toBe(0o600);
  }
  const leaf = new X509Certificate(first.cert);
  const authority = new X509Certificate(first.authority);
  expect(leaf.verify(authority.publicKey)).toBe(true);
  expect([leaf.checkIP('127.0.0.1'), leaf.checkHost('localhost'), leaf.ca, authority.ca]).toEqual([
    '127.0.0.1',
    'localhost',
    false,
    true,
  ]);
});

test('a certificate near its end, or for other hosts, is made anew under the same authority', async () => {
  const first = await ensureServerTls({ folder, hosts: ['127.0.0.1'] });
  const renamed = await ensureServerTls({ folder, hosts: ['127.0.0.1', 'dr.example.com'] });
  expect(renamed.authority).toBe(first.authority);
  expect(new X509Certificate(renamed.cert).checkHost('dr.example.com')).toBe('dr.example.com');
  const later = new Date(Date.now() + 310 * DAY_MS);
  const renewed = await ensureServerTls({ folder, hosts: ['127.0.0.1', 'dr.example.com'], now: later });
  expect(renewed.authority).toBe(first.authority);
  expect(new X509Certificate(renewed.cert).validToDate.getTime()).toBeGreaterThan(
    later.getTime() + 300 * DAY_MS,
  );
});

test('a server that listens everywhere is named by its addresses and its public host', () => {
  const hosts = reachableHosts('0.0.0.0', 'https://dr.example.com:8443');
  expect(hosts).toEqual(expect.arrayContaining(['localhost', '127.0.0.1', 'dr.example.com']));
  expect(reachableHosts('10.0.0.4')).toEqual(['localhost', '127.0.0.1', '::1', '10.0.0.4']);
});
