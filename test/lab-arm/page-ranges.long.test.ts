import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MiB, VHD_FOOTER_BYTES } from '../../domain/units.ts';
import { seededBytes } from '../../lab/arm/seeded.ts';
import { seededRandom } from '../support/random.ts';
import { exported, grantRead, halfOpen, makeMachine, takeSnapshot } from './support/machine.ts';
import type { Made, Range } from './support/machine.ts';
import { codeOf, makeVhd, quick, startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const GROUP = 'ranges';
const BLOCK = 4096;
const BLOCKS = (32 * MiB) / BLOCK;
let rig: Rig;
let made: Made;
let disk: string;
let initial: Buffer;

beforeAll(async () => {
  rig = await startRig();
  const pieces = [
    { offset: 0, bytes: randomBytes(MiB) },
    { offset: 15 * MiB, bytes: randomBytes(2 * MiB) },
    { offset: 32 * MiB - BLOCK, bytes: randomBytes(BLOCK) },
  ];
  const os = await makeVhd(rig, 'ranges/os.vhd', 32, pieces);
  const data = await makeVhd(rig, 'ranges/data.vhd', 20, []);
  initial = await os.downloadToBuffer(0, 32 * MiB);
  made = await makeMachine(rig, { group: GROUP, vhds: [os.url, data.url] });
  disk = made.diskIds[0] ?? '';
});
afterAll(() => rig.close());

test('the page list of a snapshot names what was written and the footer, and no hole', async () => {
  await takeSnapshot(rig, GROUP, 'first', disk);
  const client = exported(rig, await grantRead(rig, GROUP, 'first'));
  const list = await client.getPageRanges();
  expect(halfOpen(list.pageRange)).toEqual([
    { start: 0, end: MiB },
    { start: 15 * MiB, end: 17 * MiB },
    { start: 32 * MiB - BLOCK, end: 32 * MiB + VHD_FOOTER_BYTES },
  ]);
  expect(list.clearRange).toEqual([]);
  const inside = await client.getPageRanges(512 * 1024 + 512, 15 * MiB);
  expect(halfOpen(inside.pageRange)).toEqual([
    { start: 512 * 1024 + 512, end: MiB },
    { start: 15 * MiB, end: 15 * MiB + 512 * 1024 + 512 },
  ]);
});

test('diffs between snapshots of a running machine are exact, through deletions and a kill', async () => {
  const random = seededRandom('page ranges');
  const content = Buffer.from(initial);
  const taken: { content: Buffer; changes: Changes }[] = [];
  const snapshot = async (changes: Changes) => {
    await takeSnapshot(rig, GROUP, `s${taken.length}`, disk);
    taken.push({ content: Buffer.from(content), changes });
  };
  await snapshot(new Map());
  for (let round = 1; round <= 4; round++) {
    const changes: Changes = new Map();
    for (let step = 0; step < 12; step++) {
      const block = random.below(BLOCKS - 64);
      const isClear = step % 4 === 3;
      const offset = block * BLOCK + (isClear ? 0 : random.below(3) * 512);
      const length = isClear ? 16 * BLOCK : (1 + random.below(48)) * 512;
      const blocks = blocksOf([{ start: block * BLOCK, end: Math.ceil((offset + length) / BLOCK) * BLOCK }]);
      for (const each of blocks) changes.set(each, isClear ? 'clear' : 'page');
      if (isClear) {
        await rig.lab('POST', '/disks/clear', { id: disk, offset, length });
        content.fill(0, offset, offset + length);
      } else {
        await rig.lab('POST', '/disks/write', { id: disk, offset, seed: random.seed + step, length });
        seededBytes(random.seed + step, length).copy(content, offset);
      }
    }
    await snapshot(changes);
    if (round === 2) await rig.killAndRestart();
  }
  await rig.clients.compute.snapshots.delete(GROUP, 's2', quick);
  for (const [from, to] of [
    [0, 1],
    [1, 3],
    [0, 4],
  ] as const) {
    const previous = await grantRead(rig, GROUP, `s${from}`);
    const client = exported(rig, await grantRead(rig, GROUP, `s${to}`));
    const diff = await client.getPageRangesDiffForManagedDisks(0, 32 * MiB, previous);
    const before = heldIn(taken.slice(1, from + 1).map(({ changes }) => changes));
    const between = merged(taken.slice(from + 1, to + 1).map(({ changes }) => changes));
    expect(blocksOf(halfOpen(diff.pageRange))).toEqual(blocksWith(between, 'page'));
    // What held nothing before has nothing to clear.
    const cleared = blocksWith(between, 'clear').filter((block) => before.has(block));
    expect(blocksOf(halfOpen(diff.clearRange))).toEqual(cleared);
    const bytes = await client.downloadToBuffer(0, 32 * MiB);
    expect(bytes.equals(taken[to]?.content ?? Buffer.alloc(0))).toBe(true);
    await revoke(`s${from}`, `s${to}`);
  }
});

type Changes = Map<number, 'page' | 'clear'>;

function merged(rounds: readonly Changes[]): Changes {
  return new Map(rounds.flatMap((changes) => [...changes]));
}

function blocksWith(changes: Changes, kind: 'page' | 'clear'): number[] {
  const found = [...changes].filter(([, each]) => each === kind).map(([block]) => block);
  return found.sort((a, b) => a - b);
}

/** Blocks that hold bytes after these rounds. */
function heldIn(rounds: readonly Changes[]): Set<number> {
  const first = Array.from({ length: BLOCKS }, (_, block): [number, 'page' | 'clear'] => {
    const isEmpty = initial.subarray(block * BLOCK, (block + 1) * BLOCK).every((byte) => byte === 0);
    return [block, isEmpty ? 'clear' : 'page'];
  });
  return new Set(blocksWith(merged([new Map(first), ...rounds]), 'page'));
}

test('long lists come in pages, also for a client that asked for none', async () => {
  for (let at = 0; at < 5; at++) {
    await rig.lab('POST', '/disks/write', { id: disk, offset: MiB * (3 + at), seed: at, length: BLOCK });
  }
  await takeSnapshot(rig, GROUP, 'paged', disk);
  const [previous, target] = [await grantRead(rig, GROUP, 's4'), await grantRead(rig, GROUP, 'paged')];
  const client = exported(rig, target);
  const all = halfOpen((await client.getPageRanges(0, 32 * MiB)).pageRange);
  const paged: Range[] = [];
  for await (const { pageRange = [] } of client.listPageRanges(0, 32 * MiB).byPage({ maxPageSize: 2 })) {
    expect(pageRange.length).toBeLessThanOrEqual(2);
    paged.push(...pageRange.map(({ start, end }) => ({ start, end: end + 1 })));
  }
  expect(paged).toEqual(all);

  await rig.lab('POST', '/settings', { pageRangesMax: 2 });
  const found: Range[] = [];
  for (let at = 0; at < 32 * MiB;) {
    // The SDK declares no continuation token of this call, and hands on the one it got.
    const diff: { pageRange?: { offset: number; count?: number }[]; continuationToken?: string } =
      await client.getPageRangesDiffForManagedDisks(at, 32 * MiB - at, previous);
    const ranges = halfOpen(diff.pageRange);
    expect(ranges.length).toBeLessThanOrEqual(2);
    found.push(...ranges);
    at = diff.continuationToken === undefined ? 32 * MiB : (ranges.at(-1)?.end ?? 32 * MiB);
  }
  await rig.lab('POST', '/settings', { pageRangesMax: 10_000 });
  expect(found).toEqual(
    Array.from({ length: 5 }, (_, at) => ({ start: MiB * (3 + at), end: MiB * (3 + at) + BLOCK })),
  );
  await revoke('s4', 'paged');
});

test('a diff is refused without a live SAS, against a newer snapshot, another disk, or a full snapshot', async () => {
  const { compute } = rig.clients;
  const { location } = rig.facts;
  await takeSnapshot(rig, GROUP, 'stranger', made.diskIds[1] ?? '');
  const creationData = { createOption: 'Copy', sourceResourceId: disk };
  await compute.snapshots.createOrUpdate(GROUP, 'full', { location, creationData }, quick);
  const [older, newer, stranger, full] = await Promise.all(
    ['s3', 's4', 'stranger', 'full'].map((name) => grantRead(rig, GROUP, name)),
  );
  const code = (target = '', previous = '') =>
    codeOf(exported(rig, target).getPageRangesDiffForManagedDisks(0, MiB, previous));
  expect(await code(newer, older)).toBe('it succeeded');
  expect(await code(older, newer)).toBe('PreviousSnapshotCannotBeNewer');
  expect(await code(newer, stranger)).toBe('BlobOverwritten');
  expect(await code(newer, full)).toBe('PreviousSnapshotOperationNotSupported');
  expect(await code(newer, 'not a url')).toBe('InvalidHeaderValue');
  expect(await code(newer, older?.replace(/sig=.*/, 'sig=x'))).toBe('AuthenticationFailed');
  const asQuery = exported(rig, newer ?? '').listPageRangesDiff(0, MiB, older ?? '');
  expect(await codeOf(asQuery.next())).toBe('InvalidQueryParameterValue');
  await revoke('s3');
  expect(await code(newer, older)).toBe('AuthenticationFailed');
  await revoke('s4', 'stranger', 'full');
  expect(await code(newer, older)).toBe('AuthenticationFailed');
});

test('only a running guest writes, and only inside its disk', async () => {
  const { compute } = rig.clients;
  const write = (id: string, offset = 0) =>
    rig.lab('POST', '/disks/write', { id, offset, seed: 1, length: BLOCK });
  await expect(write(disk, 32 * MiB)).rejects.toThrow('400');
  await compute.virtualMachines.powerOff(GROUP, made.vm, quick);
  await expect(write(disk)).rejects.toThrow(/409.*stopped/);
  await compute.virtualMachines.delete(GROUP, made.vm, quick);
  await expect(write(disk)).rejects.toThrow(/409.*attached to no machine/);
  await expect(write(`${disk}-absent`)).rejects.toThrow('404');
});

async function revoke(...names: string[]): Promise<void> {
  for (const name of names) await rig.clients.compute.snapshots.revokeAccess(GROUP, name, quick);
}

function blocksOf(ranges: readonly Range[]): number[] {
  return ranges.flatMap(({ start, end }) =>
    Array.from({ length: (end - start) / BLOCK }, (_, index) => start / BLOCK + index),
  );
}
