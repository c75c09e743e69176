/** The segment reader, against bytes without the key and against segments that are sealed rightly and hold lies. */
import { zstdCompressSync } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import { ItemKey } from '../../../dataplane/keys.ts';
import {
  CODEC_STORED,
  CODEC_ZSTD,
  HEADER_BYTES,
  KIND_WRITE,
  KIND_ZERO,
  SALT_BYTES,
  UNIT_RECORDS_MAX,
} from '../../../dataplane/segment/layout.ts';
import { openSegment } from '../../../dataplane/segment/open-segment.ts';
import { readSegment } from '../../../dataplane/segment/reader.ts';
import type { ExpectedSegment, SegmentRecord } from '../../../dataplane/segment/reader.ts';
import { CHAIN_START } from '../../../domain/replication.ts';
import { KiB, MiB } from '../../../domain/units.ts';
import { encodeRecord, expectedOf, plainSegment, rehash, sealSegment } from '../support/forge-segment.ts';
import type { PlainUnit } from '../support/forge-segment.ts';
import { randomFrom } from '../support/random.ts';
import type { Random } from '../support/random.ts';
import { DISK, ITEM } from '../support/segments.ts';
import { interesting, mutate } from './mutate.ts';
import { eventualRefusalOf, refusalOf } from './refusal.ts';
import { Finding } from './target.ts';
import type { FuzzTarget } from './target.ts';

const CAPACITY_BYTES = 8 * MiB;
const UNITS_MAX = 3;
const RECORDS_MAX = 4;
const WRITE_BYTES_MAX = 2 * KiB;
/** One in so many fields of a forged segment is a lie. */
const LIE_IN = 24;

const key = new ItemKey(randomFrom(1).bytes(32));
const header = {
  diskId: DISK,
  epoch: 7,
  firstSeq: 1,
  salt: randomFrom(2).bytes(SALT_BYTES),
  prevHash: CHAIN_START.hash,
  keyId: key.id,
};

/** Tells the truth when `lies` is false. */
function plainInput(random: Random, lies: boolean): { plain: Buffer; units: number } {
  const exactly = (value: number, bits: number) =>
    lies && random.int(LIE_IN) === 0
      ? BigInt.asUintN(bits, random.int(2) === 0 ? interesting(random) : BigInt(value + 1))
      : BigInt(value);
  const maybe = (value: number, bits: number) => Number(exactly(value, bits));
  const units: PlainUnit[] = [];
  const unitsWanted = 1 + random.int(UNITS_MAX);
  for (let index = 0; index < unitsWanted; index += 1)
    units.push(plainUnit(random, { exactly, maybe }, index));
  const told = { ...header, firstSeq: maybe(header.firstSeq, 53), epoch: maybe(header.epoch, 53) };
  const plain = plainSegment(told, units);
  if (lies && random.int(LIE_IN) === 0)
    plain.writeBigUInt64LE(interesting(random), random.int(2) === 0 ? 32 : 40);
  return { plain: lies && random.int(3) === 0 ? lieInside(plain, random) : plain, units: units.length };
}

interface Teller {
  /** The value, or now and then another one of so many bits. */
  readonly exactly: (value: number, bits: number) => bigint;
  readonly maybe: (value: number, bits: number) => number;
}

function plainUnit(random: Random, { exactly, maybe }: Teller, index: number): PlainUnit {
  const table: Buffer[] = [];
  const data: Buffer[] = [];
  let dataBytes = 0;
  const recordCount = 1 + random.int(RECORDS_MAX);
  for (let count = 0; count < recordCount; count += 1) {
    const isWrite = random.int(3) > 0;
    const length = 512 * (1 + random.int(WRITE_BYTES_MAX / 512));
    const raw = random.int(2) === 0 ? random.bytes(length) : Buffer.alloc(length, 'text ');
    const offset = 512 * random.int((CAPACITY_BYTES - length) / 512);
    table.push(
      encodeRecord({
        offset: exactly(offset, 64),
        length: maybe(length, 32),
        kind: maybe(isWrite ? KIND_WRITE : KIND_ZERO, 16),
        dataOffset: maybe(isWrite ? dataBytes : 0, 32),
        crc: maybe(isWrite ? crc32c(raw) : 0, 32),
      }),
    );
    if (!isWrite) continue;
    data.push(raw);
    dataBytes += length;
  }
  const plain = Buffer.concat([...table, ...data]);
  const codec = random.int(2) === 0 ? CODEC_STORED : CODEC_ZSTD;
  const payload = codec === CODEC_ZSTD ? zstdCompressSync(plain) : plain;
  const frame = {
    codec: maybe(codec, 8),
    seq: maybe(header.firstSeq + index, 53),
    recordCount: maybe(recordCount, 32),
    plainBytes: maybe(plain.length, 32),
    sealedBytes: maybe(payload.length, 32),
  };
  return { frame, payload };
}

/** Anywhere behind the header, so that it stays the header of this disk. */
function lieInside(plain: Buffer, random: Random): Buffer {
  const behind = plain.subarray(HEADER_BYTES);
  return Buffer.concat([plain.subarray(0, HEADER_BYTES), mutate(behind, random, [behind])]);
}

const truths = Array.from({ length: 8 }, (_unused, index) => {
  const { plain, units } = plainInput(randomFrom(100 + index), false);
  const bytes = sealSegment(plain, key);
  const ref = {
    blob: 'journal/fuzz.seg',
    firstSeq: 1,
    lastSeq: units,
    rawBytes: 0,
    wireBytes: 0,
    sha256: '',
  };
  const unnamed = { item: ITEM, diskId: DISK, capacityBytes: CAPACITY_BYTES, ref, tail: CHAIN_START, key };
  return { bytes, expected: expectedOf(bytes, unnamed) };
});
const valid = truths.map(({ bytes }) => bytes);
const [truth] = truths;

function drain(records: Iterable<SegmentRecord>): void {
  let count = 0;
  for (const record of records) {
    count += 1;
    check(record, count);
  }
}

async function drainStream(records: AsyncIterable<SegmentRecord>): Promise<void> {
  let count = 0;
  for await (const record of records) {
    count += 1;
    check(record, count);
  }
}

function check(record: SegmentRecord, count: number): void {
  const { offset, length } = record;
  const isInside = offset >= 0 && length > 0 && offset + length <= CAPACITY_BYTES;
  if (!isInside || offset % 512 !== 0 || length % 512 !== 0) throw new Finding('a record outside the disk');
  if (record.kind === 'write' && record.data.length !== length)
    throw new Finding('a record without its data');
  if (count > UNIT_RECORDS_MAX * 64) throw new Finding('records without end');
}

/** What was changed without the key is never accepted, whoever puts the hashes right. */
function runAltered(bytes: Buffer): string {
  for (const { bytes: honest, expected } of truths) {
    if (honest.equals(bytes)) return refusalOf(() => drain(readSegment(bytes, expected)));
  }
  if (truth === undefined) throw new Error('no segment to begin with');
  const asStored = refusalOf(() => drain(readSegment(bytes, truth.expected)));
  const rehashed = rehash(bytes);
  const forged = refusalOf(() => drain(readSegment(rehashed, expectedFor(rehashed))));
  const isHonest = valid.some((honest) => honest.equals(rehashed));
  if (asStored === 'accepted' || (forged === 'accepted' && !isHonest)) {
    throw new Finding('an altered segment was accepted');
  }
  return forged;
}

/** As a barrier would name the segment, with as many units as the trailer says. */
function expectedFor(bytes: Buffer): ExpectedSegment {
  if (truth === undefined) throw new Error('no segment to begin with');
  const { ref } = truth.expected;
  const unitCount = bytes.length < 80 ? 1 : bytes.readUInt32LE(bytes.length - 80 + 4);
  return expectedOf(bytes, { ...truth.expected, ref: { ...ref, lastSeq: ref.firstSeq + unitCount - 1 } });
}

function alteredInput(random: Random): Buffer {
  const bytes = valid[random.int(valid.length)] ?? Buffer.alloc(0);
  return random.int(50) === 0 ? bytes : mutate(bytes, random, valid);
}

const forgedInput = (random: Random) => plainInput(random, random.int(8) > 0).plain;

export const segmentTargets: readonly FuzzTarget[] = [
  {
    name: 'segment altered',
    share: 25,
    bufferBytesMax: 4 * MiB,
    input: alteredInput,
    run: runAltered,
  },
  {
    name: 'segment forged with the key',
    share: 30,
    bufferBytesMax: 8 * MiB,
    input: forgedInput,
    run(plain) {
      const bytes = sealSegment(plain, key);
      return refusalOf(() => drain(readSegment(bytes, expectedFor(bytes))));
    },
  },
  {
    name: 'segment opened as a stream',
    share: 5,
    bufferBytesMax: 8 * MiB,
    input: forgedInput,
    run(plain) {
      const bytes = sealSegment(plain, key);
      return eventualRefusalOf(() => drainStream(openSegment(bytes, expectedFor(bytes))));
    },
  },
];
