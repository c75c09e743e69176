import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ItemKey } from '../../dataplane/keys.ts';
import { FRAME_BYTES, HEADER_BYTES, RECORD_BYTES, TRAILER_BYTES } from '../../dataplane/segment/layout.ts';
import { readSegment } from '../../dataplane/segment/reader.ts';
import type { ExpectedSegment, SegmentRecord } from '../../dataplane/segment/reader.ts';
import { GiB, KiB, MiB } from '../../domain/units.ts';
import { randomFrom, seededRandom } from './support/random.ts';
import { makeSegment } from './support/segments.ts';
import type { Input } from './support/segments.ts';

const random = seededRandom('segment');
const key = new ItemKey(random.bytes(32));

function readAll(bytes: Uint8Array, expected: ExpectedSegment): SegmentRecord[] {
  return [...readSegment(bytes, expected)].map((record) =>
    record.kind === 'write' ? { ...record, data: Buffer.from(record.data) } : record,
  );
}

/** What the records do to an empty disk, as sparse sectors. */
function effect(records: readonly (SegmentRecord | Input)[]): Map<number, string> {
  const sectors = new Map<number, string>();
  for (const record of records) {
    const length = record.kind === 'write' ? record.data.length : record.length;
    for (let at = 0; at < length; at += 512) {
      const sector = record.kind === 'write' ? record.data.toString('latin1', at, at + 512) : 'zero';
      sectors.set(record.offset + at, sector);
    }
  }
  return sectors;
}

const inputs = fc.array(
  fc.record({
    sector: fc.nat(5000),
    sectors: fc.integer({ min: 1, max: 3000 }),
    kind: fc.constantFrom('noise', 'text', 'zero'),
    seed: fc.nat(),
  }),
  { minLength: 1, maxLength: 6 },
);

test('hands back what was written, whatever the mix of data and zeros', () => {
  fc.assert(
    fc.property(inputs, (specs) => {
      const records = specs.map(({ sector, sectors, kind, seed }): Input => {
        const offset = sector * 512;
        const length = sectors * 512;
        if (kind === 'zero') return { kind: 'zero', offset, length };
        const data =
          kind === 'noise' ? randomFrom(seed).bytes(length) : Buffer.alloc(length, `text ${seed} `);
        return { kind: 'write', offset, data };
      });
      const { bytes, expected } = makeSegment(key, records);
      expect(effect(readAll(bytes, expected))).toEqual(effect(records));
    }),
    { numRuns: 15, seed: random.int(2 ** 31) },
  );
});

test('packs neighbours into one unit and compresses them together', () => {
  const records = Array.from({ length: 200 }, (_unused, index): Input => {
    return { kind: 'write', offset: index * 64 * KiB, data: Buffer.alloc(4 * KiB, 'the same text ') };
  });
  const { bytes, expected } = makeSegment(key, records);
  expect(expected.ref.lastSeq).toBe(expected.ref.firstSeq);
  expect(expected.ref.rawBytes).toBe(800 * KiB);
  expect(bytes.length).toBeLessThan(16 * KiB);
});

test('stores what does not compress as it is', () => {
  const { bytes, expected } = makeSegment(key, [{ kind: 'write', offset: 0, data: random.bytes(MiB) }]);
  expect(bytes.length).toBeLessThan(MiB + KiB);
  expect(readAll(bytes, expected)).toHaveLength(1);
});

test('a terabyte of zeros is a few bytes', () => {
  const { bytes, expected } = makeSegment(key, [{ kind: 'zero', offset: 0, length: 1024 * GiB }], {
    capacityBytes: 1024 * GiB,
  });
  expect(bytes.length).toBeLessThan(8 * KiB);
  expect(readAll(bytes, expected).reduce((sum, record) => sum + record.length, 0)).toBe(1024 * GiB);
});

test('two segments of the same bytes share neither key nor ciphertext', () => {
  const data = random.bytes(4 * KiB);
  const one = makeSegment(key, [{ kind: 'write', offset: 0, data }]);
  const two = makeSegment(key, [{ kind: 'write', offset: 0, data }]);
  const sealed = (bytes: Buffer) => bytes.subarray(HEADER_BYTES + 32, bytes.length - TRAILER_BYTES);
  expect(sealed(one.bytes).equals(sealed(two.bytes))).toBe(false);
  expect(one.bytes.includes(data.subarray(0, 32))).toBe(false);
});

const small = () =>
  makeSegment(key, [
    { kind: 'write', offset: 0, data: Buffer.alloc(8 * KiB, 'some text ') },
    { kind: 'zero', offset: MiB, length: MiB },
    { kind: 'write', offset: 4 * MiB, data: random.bytes(2 * KiB) },
  ]);

test('a single flipped bit, wherever, is refused and the blob is named', () => {
  const { bytes, expected } = small();
  for (let bit = random.int(3); bit < bytes.length * 8; bit += 3) {
    const at = bit >> 3;
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7));
    expect(() => readAll(flipped, expected)).toThrow(
      expect.objectContaining({
        code: 'DR_SEGMENT_CORRUPT',
        message: expect.stringContaining(expected.ref.blob),
      }),
    );
  }
});

test('a bit flipped by somebody who corrects every hash but has no key is refused', () => {
  const { bytes, expected } = small();
  const hashAt = bytes.length - TRAILER_BYTES + 32;
  for (let at = HEADER_BYTES + 32; at < hashAt; at += 1) {
    const forged = Buffer.from(bytes);
    forged[at] = (forged[at] ?? 0) ^ (1 << random.int(8));
    createHash('sha256').update(forged.subarray(0, hashAt)).digest().copy(forged, hashAt);
    const sha256 = createHash('sha256').update(forged).digest('hex');
    expect(() => readAll(forged, { ...expected, ref: { ...expected.ref, sha256 } })).toThrow(
      expect.objectContaining({ code: 'DR_SEGMENT_CORRUPT' }),
    );
  }
});

test('a torn tail is recognised at every length', () => {
  const { bytes, expected } = small();
  for (let length = 0; length < bytes.length; length += 1) {
    expect(() => readAll(bytes.subarray(0, length), expected)).toThrow(
      expect.objectContaining({ code: 'DR_SEGMENT_CORRUPT', message: expect.stringContaining('torn') }),
    );
  }
});

test('a segment that follows another one than the chain says is a gap', () => {
  const { bytes, expected } = small();
  const tail = { ...expected.tail, hash: 'ab'.repeat(32) };
  expect(() => readAll(bytes, { ...expected, tail })).toThrow(
    expect.objectContaining({ code: 'DR_JOURNAL_GAP' }),
  );
});

test('a record outside the disk is refused', () => {
  const { bytes, expected } = small();
  expect(() => readAll(bytes, { ...expected, capacityBytes: 4 * MiB })).toThrow(
    expect.objectContaining({ code: 'DR_SEGMENT_CORRUPT' }),
  );
});

test('another data key is told from damage', () => {
  const { bytes, expected } = small();
  const other = new ItemKey(random.bytes(32));
  expect(() => readAll(bytes, { ...expected, key: other })).toThrow(
    expect.objectContaining({ code: 'DR_KEY_MISSING' }),
  );
});

test('a data key shows its bytes in no form', () => {
  const secret = Buffer.alloc(32, 'k');
  const hidden = new ItemKey(secret);
  const shown = [JSON.stringify({ hidden }), inspect(hidden, { showHidden: true, depth: 5 }), String(hidden)];
  for (const text of shown) {
    expect(text).toContain('•••');
    expect(text).not.toContain('kkkk');
    expect(text).not.toContain(secret.toString('hex').slice(0, 8));
  }
});

test('docs/wire-format.md names the sizes that the code uses', async () => {
  const page = await readFile('docs/wire-format.md', 'utf8');
  for (const [title, bytes] of Object.entries({
    Header: HEADER_BYTES,
    Frame: FRAME_BYTES,
    Record: RECORD_BYTES,
    Trailer: TRAILER_BYTES,
  })) {
    expect(page).toContain(`# ${title} (${bytes} bytes)`);
  }
});
