/** Opens a segment in the threads of this process. */
import { segmentSlabs, sharedMemory, unitSlabs } from '../threads/slabs.ts';
import { segmentThreads } from '../threads/thread-pool.ts';
import { SEGMENT_WIRE_BYTES_MAX } from './layout.ts';
import type { SegmentRecord } from './records.ts';
import { recordsOf } from './records.ts';
import type { ExpectedSegment, LocatedUnit, Refuse } from './structure.ts';
import { checkHashes, checkPlace, checkTrailerSeal, locateUnits, refusalOf } from './structure.ts';
import type { Tasks } from './tasks.ts';

const UNITS_AHEAD = 4;
/** Whoever holds memory goes on without more, so that waiting for it ends. */
const never = new AbortController().signal;

/**
 * Records of a segment in order; `data` is valid until the next record is asked for. The promises and the refusals
 * are those of `readSegment`: the whole is verified before the first record is handed out. Takes one slab for the
 * segment and up to four for units, 14 MiB at most, and waits while others use them all; ending the generator early
 * gives them back.
 * @throws DR_SEGMENT_CORRUPT naming the blob, DR_JOURNAL_GAP when it follows another segment than the chain's last,
 * DR_KEY_MISSING when another data key sealed it
 */
export async function* openSegment(
  bytes: Uint8Array,
  expected: ExpectedSegment,
): AsyncGenerator<SegmentRecord> {
  const slab = await segmentSlabs.take(never);
  try {
    const { units, opening } = await check(bytes, slab, expected);
    yield* openUnits(units, opening, refusalOf(expected));
  } finally {
    segmentSlabs.give(slab);
  }
}

/**
 * Resolves when the bytes are those the stream names, to the last one; nothing is decompressed.
 * @throws as `openSegment`
 */
export async function proveSegment(bytes: Uint8Array, expected: ExpectedSegment): Promise<void> {
  const slab = await segmentSlabs.take(never);
  try {
    await check(bytes, slab, expected);
  } finally {
    segmentSlabs.give(slab);
  }
}

async function check(
  bytes: Uint8Array,
  slab: Buffer,
  expected: ExpectedSegment,
): Promise<{ readonly units: readonly LocatedUnit[]; readonly opening: Opening }> {
  const refuse = refusalOf(expected);
  if (bytes.length > SEGMENT_WIRE_BYTES_MAX) throw refuse('it is longer than any segment');
  slab.set(bytes);
  const body = slab.subarray(0, bytes.length);
  const { header, units } = locateUnits(body, refuse);
  const stored = { body: sharedMemory(slab), bytes: bytes.length };
  checkHashes(body, await segmentThreads.run('hashWhole', stored), expected, refuse);
  checkPlace({ header, units }, expected, refuse);
  const { epoch } = header;
  const key = expected.key.segmentKey(header.diskId, header.salt);
  checkTrailerSeal(body, { epoch, seq: expected.ref.lastSeq + 1, key }, refuse);
  return { units, opening: { ...stored, epoch, key, capacityBytes: expected.capacityBytes } };
}

type Opening = Omit<Parameters<Tasks['openUnit']>[0], 'unit' | 'into'>;

async function* openUnits(
  units: readonly LocatedUnit[],
  opening: Opening,
  refuse: Refuse,
): AsyncGenerator<SegmentRecord> {
  const rest = units.values();
  let next = rest.next();
  const ahead: OpeningUnit[] = [];
  try {
    for (;;) {
      while (next.done !== true && ahead.length < UNITS_AHEAD) {
        const slab = ahead.length === 0 ? await unitSlabs.take(never) : unitSlabs.tryTake();
        if (slab === null) break;
        ahead.push(beginOpening(next.value, slab, opening));
        next = rest.next();
      }
      const [first] = ahead;
      if (first === undefined) return;
      const fault = await first.fault;
      if (fault !== null) throw refuse(fault);
      const { plainBytes, recordCount } = first.unit.frame;
      yield* recordsOf(first.slab.subarray(0, plainBytes), recordCount);
      ahead.shift();
      unitSlabs.give(first.slab);
    }
  } finally {
    await Promise.allSettled(ahead.map(({ fault }) => fault));
    for (const { slab } of ahead) unitSlabs.give(slab);
  }
}

interface OpeningUnit {
  readonly unit: LocatedUnit;
  readonly slab: Buffer;
  readonly fault: Promise<string | null>;
}

function beginOpening(unit: LocatedUnit, slab: Buffer, opening: Opening): OpeningUnit {
  const fault = segmentThreads.run('openUnit', { ...opening, unit, into: sharedMemory(slab) });
  // A failure is met when its turn comes.
  fault.catch(() => undefined);
  return { unit, slab, fault };
}
