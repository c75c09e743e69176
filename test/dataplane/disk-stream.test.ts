/** From records to segments in the account: order, the ends of segments, what is compressed, and what memory it takes. */
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Egress } from '../../dataplane/egress/egress.ts';
import { ItemKey } from '../../dataplane/keys.ts';
import { CODEC_STORED, CODEC_ZSTD } from '../../dataplane/segment/layout.ts';
import { openSegment } from '../../dataplane/segment/open-segment.ts';
import type { SegmentRecord } from '../../dataplane/segment/records.ts';
import { locateUnits, refusalOf } from '../../dataplane/segment/structure.ts';
import { DiskStream, SEGMENT_CLOSE_MS } from '../../dataplane/ship/disk-stream.ts';
import { Spool } from '../../dataplane/ship/spool.ts';
import { unitSlabs } from '../../dataplane/threads/slabs.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { CHAIN_START } from '../../domain/replication.ts';
import type { SegmentRef } from '../../domain/replication.ts';
import { GiB, KiB, MiB } from '../../domain/units.ts';
import { waitFor } from '../../lab/wait.ts';
import { seededRandom } from './support/random.ts';
import { never, ship, startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const random = seededRandom('disk stream');
const key = new ItemKey(random.bytes(32));
const item = asId<ProtectedItemId>('streamed');
let rig: Rig;
let epoch = 0;
let spool: Spool;
const streams: DiskStream[] = [];

beforeAll(async () => {
  rig = await startRig(random);
});

afterAll(() => rig.stop());

interface Opened {
  readonly stream: DiskStream;
  readonly diskId: DiskId;
  /** Callbacks that wait, as `after` was asked for. */
  readonly timers: Map<() => void, number>;
}

async function openSpool(): Promise<void> {
  epoch += 1;
  spool = await Spool.open({
    item,
    epoch,
    fingerprint: null,
    cache: { folder: path.join(rig.cacheFolder, 'streams'), freeBytesMin: 0, bytesMax: GiB },
    egress: new Egress(),
    flow: { item, traffic: 'delta' },
    storage: rig.storage,
    signal: never,
    onDurable: () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });
}

function openStream(): Opened {
  const timers: Opened['timers'] = new Map();
  const diskId = asId<DiskId>(random.bytes(16).toString('hex'));
  const after = (ms: number, callback: () => void) => {
    timers.set(callback, ms);
    return () => void timers.delete(callback);
  };
  const stream = new DiskStream({ diskId, epoch, tail: CHAIN_START, key, spool, after });
  streams.push(stream);
  return { stream, diskId, timers };
}

afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.close();
  await spool.close();
  expect(unitSlabs.inUse).toBe(0);
});

async function stored({ blob }: SegmentRef): Promise<Buffer> {
  return Buffer.from((await rig.storage.get(blob))?.body ?? []);
}

/** Checks the chain as a reader does. */
async function readBack(diskId: DiskId, segments: readonly SegmentRef[]): Promise<SegmentRecord[]> {
  const records: SegmentRecord[] = [];
  let tail = CHAIN_START;
  for (const ref of segments) {
    const expected = { item, diskId, capacityBytes: GiB, ref, tail, key };
    for await (const record of openSegment(await stored(ref), expected)) {
      records.push(record.kind === 'write' ? { ...record, data: Buffer.from(record.data) } : record);
    }
    tail = { nextSeq: ref.lastSeq + 1, hash: ref.sha256 };
  }
  return records;
}

async function codecsOf(diskId: DiskId, ref: SegmentRef): Promise<number[]> {
  const expected = { item, diskId, capacityBytes: GiB, ref, tail: CHAIN_START, key };
  return locateUnits(await stored(ref), refusalOf(expected)).units.map(({ frame }) => frame.codec);
}

describe('a stream of a disk', () => {
  test('keeps the order of units that take unequally long, over several segments', async () => {
    await openSpool();
    const { stream, diskId, timers } = openStream();
    const model = Buffer.alloc(12 * MiB, 1);
    for (let at = 0; at < model.length;) {
      const length = Math.min(model.length - at, 512 * (1 + random.int(3 * KiB)));
      const part = model.subarray(at, at + length);
      const kind = random.int(3);
      if (kind === 0) part.fill(0);
      else part.set(kind === 1 ? random.bytes(length) : Buffer.alloc(length, `text ${at} `));
      if (kind === 0) await stream.zero(at, length);
      else await stream.write(at, part);
      at += length;
      if (random.int(5) === 0) for (const elapse of timers.keys()) elapse();
    }
    for (const elapse of timers.keys()) elapse();
    await stream.write(model.length - 512, model.subarray(-512));
    const { segments } = await stream.finish();
    await spool.drained();
    expect(segments.length).toBeGreaterThan(1);
    const copy = Buffer.alloc(model.length, 2);
    let next = 0;
    const records = await readBack(diskId, segments);
    expect(records.pop()).toMatchObject({ offset: model.length - 512, length: 512 });
    for (const record of records) {
      expect(record.offset).toBe(next);
      next += record.length;
      if (record.kind === 'write') record.data.copy(copy, record.offset);
      else copy.fill(0, record.offset, next);
    }
    expect(copy.equals(model)).toBe(true);
  });

  test('closes a segment half a second after its first record, and the last one at the barrier', async () => {
    await openSpool();
    const { stream, diskId, timers } = openStream();
    expect(timers.size).toBe(0);
    await stream.write(0, random.bytes(4 * KiB));
    await stream.write(MiB, random.bytes(4 * KiB));
    const [[elapse, ms] = []] = [...timers];
    expect([timers.size, ms]).toEqual([1, SEGMENT_CLOSE_MS]);
    elapse?.();
    const first = `journal/${diskId}`;
    await waitFor(async () => (await namesUnder(first)).length === 1, {
      what: 'a segment',
      withinMs: 30_000,
    });
    await stream.write(2 * MiB, random.bytes(4 * KiB));
    expect(timers.size).toBe(1);
    const { segments } = await stream.finish();
    expect(timers.size).toBe(0);
    await spool.drained();
    expect(segments.map(({ rawBytes }) => rawBytes)).toEqual([8 * KiB, 4 * KiB]);
    expect(await readBack(diskId, segments)).toHaveLength(3);
  });

  test('stores what does not compress, and notices when it does again', async () => {
    await openSpool();
    const { stream, diskId } = openStream();
    await stream.write(0, random.bytes(4 * MiB));
    await stream.write(4 * MiB, Buffer.alloc(2 * MiB, 'text '));
    const { segments } = await stream.finish();
    await spool.drained();
    const [ref] = segments;
    if (ref === undefined) throw new Error('no segment');
    const [stored1, stored2, ...rest] = await codecsOf(diskId, ref);
    expect([stored1, stored2, rest.at(-1)]).toEqual([CODEC_STORED, CODEC_STORED, CODEC_ZSTD]);
    expect(ref.wireBytes).toBeLessThan(4 * MiB + 64 * KiB);
    expect(await readBack(diskId, segments)).not.toHaveLength(0);
  });

  test('shares a bounded number of slabs with all others, and every one of them comes to its end', async () => {
    await openSpool();
    unitSlabs.forgetPeak();
    const data = random.bytes(MiB);
    const opened = Array.from({ length: 4 }, () => openStream());
    const ended = await Promise.all(
      opened.map(async ({ stream }) => {
        for (let at = 0; at < 10; at += 1) await stream.write(at * MiB, data);
        return stream.finish();
      }),
    );
    await spool.drained();
    expect(unitSlabs.inUsePeak).toBeLessThanOrEqual(32);
    for (const [index, { diskId }] of opened.entries()) {
      const records = await readBack(diskId, ended[index]?.segments ?? []);
      expect(records.reduce((sum, { length }) => sum + length, 0)).toBe(10 * MiB);
    }
  });

  test('gives everything back when it is closed in the middle', async () => {
    await openSpool();
    const { stream } = openStream();
    await stream.write(0, random.bytes(10 * MiB));
    expect(unitSlabs.inUse).toBeGreaterThan(0);
    await stream.close();
    expect(unitSlabs.inUse).toBe(0);
    await expect(stream.write(10 * MiB, random.bytes(2 * MiB))).rejects.toThrow('closed');
  });
});

async function namesUnder(prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of rig.storage.list(prefix)) names.push(name);
  return names;
}

test('a gap is read along, and is not sent', async () => {
  await openSpool();
  const machine = await rig.machine([4 * MiB]);
  const [disk] = machine.disks;
  if (disk === undefined) throw new Error('no disk');
  await disk.write(0, random.bytes(256 * KiB), 256 * KiB);
  disk.changed = [4, 40, 104].map((kib) => ({ offset: kib * KiB, length: 4 * KiB }));
  const { barrier } = await ship(rig, machine, 1);
  expect(barrier.disks[0]?.readBytes).toBe(104 * KiB);
  expect(barrier.disks[0]?.segments.map(({ rawBytes }) => rawBytes)).toEqual([12 * KiB]);
});
