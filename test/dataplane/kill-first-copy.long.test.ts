/** kill -9 of a process in the middle of a first copy, again and again. What it reads is counted by the disks' own servers. */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { applyPending } from '../../dataplane/apply/apply-pending.ts';
import { ItemKey } from '../../dataplane/keys.ts';
import { hashSnapshot } from '../../dataplane/points.ts';
import { asId, type DiskId, type ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import { MiB } from '../../domain/units.ts';
import { createVaultStorage, ensureContainer } from '../../providers/azure/storage/vault-storage.ts';
import { startAzurite, type Azurite } from '../providers/azure/support/azurite.ts';
import { startNbdServer } from './support/nbd-server.ts';
import { seededRandom } from './support/random.ts';
import { never } from './support/rig.ts';
import type { ShipOrder } from './support/ship-child.ts';

const random = seededRandom('kill first copy');
const KILLS = 12;
const DISK_MIBS = [96, 40];
/** Of each disk: units that are compressed, sealed or wait for their file, and reads ahead. */
const IN_MEMORY_BYTES = (13 + 5) * MiB;

interface Disk {
  readonly diskId: DiskId;
  readonly capacityBytes: number;
  readonly socketPath: string;
  readonly sha256: string;
  stop(): Promise<void>;
}

let folder: string;
let azurite: Azurite;
let storage: VaultStorage;
let disks: readonly Disk[];
let readBytes = 0;
let onRead: () => void = () => undefined;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchback-kill-'));
  azurite = await startAzurite();
  await ensureContainer(azurite.storage('vault'));
  storage = createVaultStorage(azurite.storage('vault'));
  disks = await Promise.all(DISK_MIBS.map(startDisk));
});
afterAll(async () => {
  await Promise.all(disks.map((disk) => disk.stop()));
  await azurite.stop();
  await rm(folder, { recursive: true });
});

/** Noise, text and written zeros in runs of up to 4 MiB. */
async function startDisk(mib: number, index: number): Promise<Disk> {
  const file = path.join(folder, `disk-${index}`);
  const hash = createHash('sha256');
  const handle = await open(file, 'w');
  for (let written = 0; written < mib * MiB;) {
    const length = Math.min(mib * MiB - written, 512 * (1 + random.int(8_192)));
    const kind = random.int(4);
    const run = kind < 2 ? random.bytes(length) : Buffer.alloc(length, kind === 2 ? `text ${written} ` : 0);
    hash.update(run);
    await handle.write(run);
    written += length;
  }
  await handle.close();
  const server = await startNbdServer({ file, exportName: 'disk', socketPath: `${file}.nbd` });
  const socketPath = `${file}.sock`;
  const meter = await startMeter(socketPath, `${file}.nbd`);
  const diskId = asId<DiskId>(random.bytes(16).toString('hex'));
  const stop = async () => {
    meter.close();
    await server.stop();
  };
  return { diskId, capacityBytes: mib * MiB, socketPath, sha256: hash.digest('hex'), stop };
}

/** Counts what a disk's server answers. */
async function startMeter(socketPath: string, behind: string): Promise<net.Server> {
  const meter = net.createServer((client) => {
    const server = net.connect(behind);
    for (const socket of [client, server]) socket.on('error', () => undefined);
    server.on('data', (data) => {
      readBytes += data.length;
      onRead();
    });
    client.on('close', () => server.destroy());
    client.pipe(server).pipe(client);
  });
  meter.listen(socketPath);
  await once(meter, 'listening');
  return meter;
}

/** Ends by itself, or is killed once the disks were asked for so many bytes more. */
async function attempt(order: ShipOrder, killAfterBytes: number): Promise<'done' | 'killed'> {
  const child = fork(path.join(import.meta.dirname, 'support/ship-child.ts'), [], { execArgv: [] });
  const killAt = readBytes + killAfterBytes;
  onRead = () => {
    if (readBytes >= killAt) child.kill('SIGKILL');
  };
  const exited = once(child, 'exit');
  child.send(order);
  const [code, signal] = (await exited) as [number | null, string | null];
  onRead = () => undefined;
  if (signal === 'SIGKILL') return 'killed';
  expect(code).toBe(0);
  return 'done';
}

test('a first copy that is killed again and again reads little twice and gives the same bytes', async () => {
  const item = asId<ProtectedItemId>('item');
  const itemKey = random.bytes(32);
  const { accountUrl, container, credential } = azurite.storage('vault');
  if (credential.kind !== 'sharedKey') throw new Error('no key');
  const account = { accountUrl, container, name: credential.accountName, key: credential.key.reveal() };
  const cacheFolder = path.join(folder, 'cache');
  const order = { account, item, itemKey: itemKey.toString('hex'), cacheFolder };
  const onDisks = disks.map(({ diskId, capacityBytes, socketPath }) => ({
    diskId,
    capacityBytes,
    socketPath,
  }));
  let kills = 0;
  for (let epoch = 1; ; epoch += 1) {
    const killAfterBytes = kills < KILLS ? random.int(48 * MiB) : Infinity;
    if ((await attempt({ ...order, epoch, disks: onDisks }, killAfterBytes)) === 'done') break;
    kills += 1;
  }
  const capacityBytes = disks.reduce((sum, disk) => sum + disk.capacityBytes, 0);
  const again = readBytes - capacityBytes;
  process.stdout.write(
    `${kills} kills, ${(again / MiB).toFixed(1)} of ${capacityBytes / MiB} MiB read again\n`,
  );
  expect(kills).toBeGreaterThan(0);
  expect(again).toBeLessThanOrEqual(kills * disks.length * IN_MEMORY_BYTES);

  const key = new ItemKey(itemKey);
  const applied = {
    item,
    disks: onDisks,
    epoch: 1,
    key,
    storage,
    signal: never,
    onProgress: () => undefined,
  };
  const { points } = await applyPending(applied);
  for (const { diskId, sha256 } of disks) {
    const found = points[0]?.disks.find((disk) => disk.diskId === diskId);
    expect(
      await hashSnapshot(
        storage,
        found?.replicaBlob ?? '',
        found?.snapshotId ?? '',
        found?.capacityBytes ?? 0,
      ),
    ).toBe(sha256);
  }
}, 300_000);
