/** Decoders of records: barriers and manifests, signed and not, what a replica's metadata says, vCenter's changed areas. */
import { decodeState } from '../../../dataplane/apply/replica.ts';
import { decodeBarrier, encodeBarrier } from '../../../dataplane/journal/barriers.ts';
import { decodePoint } from '../../../dataplane/journal/manifests.ts';
import { isAuthentic, signRecord } from '../../../dataplane/journal/signed-record.ts';
import { ItemKey } from '../../../dataplane/keys.ts';
import { blobNames, recoveryPointId } from '../../../domain/names.ts';
import type { Barrier, RecoveryPoint } from '../../../domain/replication.ts';
import { CHAIN_START } from '../../../domain/replication.ts';
import { GiB, MiB } from '../../../domain/units.ts';
import { mergePages } from '../../../providers/vsphere/changed-areas.ts';
import { VimFault } from '../../../providers/vsphere/faults.ts';
import { randomFrom } from '../support/random.ts';
import type { Random } from '../support/random.ts';
import { DISK, ITEM } from '../support/segments.ts';
import { interesting, mutate } from './mutate.ts';
import { refusalOf } from './refusal.ts';
import { Finding } from './target.ts';
import type { FuzzTarget } from './target.ts';

const key = new ItemKey(randomFrom(3).bytes(32));
const TIME = '2030-01-01T00:00:00.000Z';
const segment = {
  blob: 'journal/x.seg',
  firstSeq: 1,
  lastSeq: 2,
  rawBytes: 512,
  wireBytes: 700,
  sha256: 'ab'.repeat(32),
};

const barrier: Barrier = {
  version: 1,
  itemId: ITEM,
  number: 3,
  kind: 'progress',
  cycle: 'delta',
  epoch: 9,
  consistency: 'crash',
  sourceTime: TIME,
  snapshotName: 'switchback-3',
  durableTime: TIME,
  disks: [
    {
      diskId: DISK,
      capacityBytes: 4 * MiB,
      segments: [segment],
      tail: { nextSeq: 3, hash: segment.sha256 },
      changeId: '52 de/3',
      readBytes: 512,
    },
  ],
  resumeOffsets: { [DISK]: MiB },
};

const point: RecoveryPoint = {
  version: 1,
  pointId: recoveryPointId(3),
  itemId: ITEM,
  barrierNumber: 3,
  consistency: 'crash',
  sourceTime: TIME,
  durableTime: TIME,
  processedTime: TIME,
  snapshotName: 'switchback-3',
  disks: [
    {
      diskId: DISK,
      replicaBlob: 'replica/x.vhd',
      snapshotId: TIME,
      capacityBytes: 4 * MiB,
      tail: CHAIN_START,
    },
  ],
};
const pointName = blobNames.point(ITEM, TIME, point.pointId);

const STRANGE: readonly unknown[] = [
  null,
  true,
  '',
  'x',
  -1,
  0.5,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  [],
  {},
  [[]],
  '\u0000',
  '__proto__',
];

/** One value anywhere in the record becomes another one, goes, or comes twice. */
function alter(record: object, random: Random): unknown {
  const copy = structuredClone(record) as Record<string, unknown>;
  const places: (readonly [Record<string, unknown>, string])[] = [];
  const visit = (at: Record<string, unknown>) => {
    for (const [name, value] of Object.entries(at)) {
      places.push([at, name]);
      if (typeof value === 'object' && value !== null) visit(value as Record<string, unknown>);
    }
  };
  visit(copy);
  const [holder, name] = places[random.int(places.length)] ?? [copy, 'version'];
  const how = random.int(4);
  if (how === 0) delete holder[name];
  else if (how === 1) holder[name] = STRANGE[random.int(STRANGE.length)];
  else if (how === 2) holder[name] = Number(interesting(random));
  else
    holder[`${name}${random.int(2) === 0 ? '' : '2'}`] =
      holder[places[random.int(places.length)]?.[1] ?? name];
  return copy;
}

/** Altered as text, or in its meaning and signed again. */
function recordInput(record: object) {
  const signed = signRecord(record, key);
  return (random: Random): Buffer => {
    if (random.int(40) === 0) return signed;
    if (random.int(2) === 0) return mutate(signed, random, [signed]);
    return signRecord(alter(record, random) as object, key);
  };
}

function runBarrier(bytes: Buffer): string {
  let read: Barrier | null = null;
  const outcome = refusalOf(() => {
    read = decodeBarrier(ITEM, 3, bytes, key);
  });
  if (read === null) return outcome;
  if (!isAuthentic(bytes, key)) throw new Finding('a barrier without its signature was accepted');
  const { itemId, number } = read as Barrier;
  if (itemId !== ITEM || number !== 3) throw new Finding('a barrier of somebody else was accepted');
  encodeBarrier(read, key);
  return outcome;
}

function runPoint(bytes: Buffer): string {
  let read: RecoveryPoint | null = null;
  const outcome = refusalOf(() => {
    read = decodePoint(pointName, bytes, key);
  });
  if (read === null) return outcome;
  if (!isAuthentic(bytes, key)) throw new Finding('a manifest without its signature was accepted');
  if ((read as RecoveryPoint).pointId !== point.pointId) throw new Finding('another point was accepted');
  return outcome;
}

const AREAS_CAPACITY_BYTES = GiB;
const AREAS_MAX = 64;

function areasInput(random: Random): Buffer {
  const pages: unknown[] = [];
  let startOffset = 0;
  while (startOffset < AREAS_CAPACITY_BYTES) {
    const length = Math.min(AREAS_CAPACITY_BYTES - startOffset, MiB * (1 + random.int(512)));
    const changedArea = Array.from({ length: random.int(5) }, () => ({
      start: String(startOffset + random.int(length)),
      length: String(1 + random.int(MiB)),
    }));
    pages.push({ startOffset: String(startOffset), length: String(length), changedArea });
    startOffset += length;
  }
  const told = random.int(3) === 0 ? pages : (alter(pages, random) as unknown[]);
  const text = Buffer.from(JSON.stringify(told));
  return random.int(3) === 0 ? mutate(text, random, [text]) : text;
}

function pagesOf(bytes: Buffer): unknown[] {
  try {
    const pages: unknown = JSON.parse(bytes.toString('utf8'));
    return Array.isArray(pages) ? pages : [pages];
  } catch {
    return [];
  }
}

async function runAreas(bytes: Buffer): Promise<string> {
  const pages = pagesOf(bytes);
  try {
    let end = 0;
    let count = 0;
    for await (const { offset, length } of mergePages(AREAS_CAPACITY_BYTES, () =>
      Promise.resolve(pages.shift()),
    )) {
      count += 1;
      const isSound = offset >= end && length > 0 && offset % 512 === 0 && length % 512 === 0;
      if (!isSound || offset + length > AREAS_CAPACITY_BYTES) throw new Finding('an area outside the disk');
      if (count > AREAS_MAX * 1024) throw new Finding('areas without end');
      end = offset + length;
    }
    return 'accepted';
  } catch (error) {
    if (!(error instanceof VimFault)) throw error;
    return error.message.replaceAll(/\d+/g, 'n');
  }
}

function stateInput(random: Random): Buffer {
  const state = { barrier: '3', nextseq: '7', hash: 'ab'.repeat(32), capacity: '512' };
  const text = Buffer.from(JSON.stringify(random.int(2) === 0 ? state : alter(state, random)));
  return random.int(2) === 0 ? text : mutate(text, random, [text]);
}

function runState(bytes: Buffer): string {
  const metadata = pagesOf(bytes)[0];
  const texts = Object.entries(metadata ?? {}).map(([name, value]) => [name, String(value)] as const);
  const state = decodeState(Object.fromEntries(texts));
  if (state === null) return 'not understood';
  if (![state.barrier, state.tail.nextSeq].every(Number.isSafeInteger))
    throw new Finding('a state that is no state');
  return 'accepted';
}

export const recordTargets: readonly FuzzTarget[] = [
  { name: 'barrier', share: 8, bufferBytesMax: MiB, input: recordInput(barrier), run: runBarrier },
  { name: 'manifest', share: 6, bufferBytesMax: MiB, input: recordInput(point), run: runPoint },
  { name: 'replica metadata', share: 2, bufferBytesMax: MiB, input: stateInput, run: runState },
  { name: 'changed areas', share: 4, bufferBytesMax: MiB, input: areasInput, run: runAreas },
];
