import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Piece } from '../../dataplane/apply/content.ts';
import { finalContent } from '../../dataplane/apply/content.ts';
import { PAGE_BLOB_COST, costMs } from '../../dataplane/apply/cost-model.ts';
import type { Reading, WriteRequest } from '../../dataplane/apply/plan-writes.ts';
import { WINDOW_BYTES, planWrites } from '../../dataplane/apply/plan-writes.ts';
import { copyPieces, overlayPieces } from '../../dataplane/apply/revise.ts';
import { extentEnd, intersectExtent } from '../../domain/extents.ts';
import { KiB, MiB } from '../../domain/units.ts';

/** Around the border of two windows. */
const START = WINDOW_BYTES - MiB / 2;
const BYTES = MiB;
const readings: readonly Reading[] = ['never', 'toSaveRequests', 'toSkipUnchanged'];

const record = fc
  .record({
    sector: fc.nat(BYTES / 512 - 1),
    sectors: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 600 })),
    fill: fc.nat(3),
  })
  .map(({ sector, sectors, fill }): Piece => {
    const offset = START + sector * 512;
    const length = Math.min(sectors * 512, START + BYTES - offset);
    return { offset, length, data: fill === 0 ? null : Buffer.alloc(length, fill) };
  });
const records = fc.array(record, { maxLength: 40 });

const policy = (reading: Reading) => ({ reading, cost: PAGE_BLOB_COST });

/** What the records make of a disk, one after the other. */
function written(disk: Buffer, log: readonly Piece[]): Buffer {
  const copy = Buffer.from(disk);
  for (const { offset, length, data } of log) copy.fill(data ?? 0, offset - START, offset - START + length);
  return copy;
}

/** Sends the requests to a disk in memory; answers how many bytes were put. */
function carryOut(disk: Buffer, requests: readonly WriteRequest[]): number {
  let putBytes = 0;
  for (const request of requests) {
    const at = request.offset - START;
    const range = disk.subarray(at, at + request.length);
    if (request.kind === 'clear') range.fill(0);
    if (request.kind === 'put') {
      copyPieces(range, request.offset, request.pieces);
      putBytes += request.length;
    }
    if (request.kind === 'revise') {
      const held = Buffer.from(range);
      for (const changed of overlayPieces(held, request.offset, request.pieces, request.gapBytes)) {
        const from = changed.offset - request.offset;
        held.copy(range, from, from, from + changed.length);
        putBytes += changed.length;
      }
    }
  }
  return putBytes;
}

function dearest(requests: readonly WriteRequest[]): number {
  return requests.reduce((sum, request) => {
    const revised = request.kind === 'revise' ? 2 : 1;
    const bytes = request.kind === 'clear' ? 0 : revised * request.length;
    return sum + costMs(PAGE_BLOB_COST, revised, bytes);
  }, 0);
}

describe('planWrites', () => {
  test('whatever is planned leaves the disk as the records one after the other would', () => {
    fc.assert(
      fc.property(records, fc.constantFrom(...readings), fc.nat(3), (log, reading, before) => {
        const disk = Buffer.alloc(BYTES, before);
        const expected = written(disk, log);
        carryOut(disk, planWrites(finalContent(log), policy(reading)));
        expect(disk.equals(expected)).toBe(true);
      }),
      { numRuns: 80 },
    );
  });

  test('requests of one plan never overlap, and what is put stays inside a window', () => {
    fc.assert(
      fc.property(records, fc.constantFrom(...readings), (log, reading) => {
        const plan = planWrites(finalContent(log), policy(reading));
        for (const [index, request] of plan.entries()) {
          expect(plan.slice(index + 1).every((other) => intersectExtent(request, other) === null)).toBe(true);
          if (request.kind === 'clear') continue;
          expect(Math.floor(request.offset / WINDOW_BYTES)).toBe(
            Math.floor((extentEnd(request) - 1) / WINDOW_BYTES),
          );
        }
      }),
      { numRuns: 80 },
    );
  });

  test('reading to save requests never makes a plan dearer', () => {
    fc.assert(
      fc.property(records, (log) => {
        const content = finalContent(log);
        const plain = dearest(planWrites(content, policy('never')));
        expect(dearest(planWrites(content, policy('toSaveRequests')))).toBeLessThanOrEqual(plain);
      }),
      { numRuns: 80 },
    );
  });

  test('a first copy reads nothing', () => {
    fc.assert(
      fc.property(records, (log) => {
        const plan = planWrites(finalContent(log), policy('never'));
        expect(plan.some((request) => request.kind === 'revise')).toBe(false);
      }),
      { numRuns: 80 },
    );
  });

  test('content that is there already is not put again while the applier keeps up', () => {
    const log = [
      { offset: START, length: 300 * KiB, data: Buffer.alloc(300 * KiB, 7) },
      { offset: START + 340 * KiB, length: 64 * KiB, data: Buffer.alloc(64 * KiB, 7) },
    ];
    const disk = written(Buffer.alloc(BYTES), log);
    const plan = planWrites(log, policy('toSkipUnchanged'));
    expect(plan).toHaveLength(1);
    expect(carryOut(disk, plan)).toBe(0);
  });

  test('of a block with one changed page that page is put', () => {
    const length = 256 * KiB;
    const held = Buffer.alloc(BYTES, 3);
    const data = Buffer.alloc(length, 3).fill(4, 100 * KiB, 104 * KiB);
    const plan = planWrites([{ offset: START, length, data }], policy('toSkipUnchanged'));
    expect(carryOut(held, plan)).toBe(4 * KiB);
    expect(held.subarray(0, length).equals(data)).toBe(true);
  });

  test('many small neighbours are read and put as one when that is cheaper, distant ones are not', () => {
    const dotted = (distance: number) =>
      Array.from({ length: 16 }, (_, index) => ({
        offset: START + index * distance,
        length: 4 * KiB,
        data: Buffer.alloc(4 * KiB, 1),
      }));
    const near = planWrites(dotted(12 * KiB), policy('toSaveRequests'));
    const far = planWrites(dotted(124 * KiB), policy('toSaveRequests'));
    expect(near.map(({ kind }) => kind)).toEqual(['revise']);
    expect(far).toHaveLength(16);
    expect(far.every(({ kind }) => kind === 'put')).toBe(true);
  });

  test('long zeros are cleared as one, short ones between data travel with it', () => {
    const data = (offset: number) => ({ offset, length: 4 * KiB, data: Buffer.alloc(4 * KiB, 1) });
    const zeros = (offset: number, length: number) => ({ offset, length, data: null });
    const plan = planWrites(
      [
        data(0),
        zeros(4 * KiB, 8 * KiB),
        data(12 * KiB),
        zeros(16 * KiB, 20 * MiB),
        zeros(16 * KiB + 20 * MiB, MiB),
      ],
      policy('never'),
    );
    expect(plan.map(({ kind, offset, length }) => [kind, offset, length])).toEqual([
      ['put', 0, 16 * KiB],
      ['clear', 16 * KiB, 21 * MiB],
    ]);
  });
});

test('the final content is what the last writers left, sorted and without overlaps', () => {
  fc.assert(
    fc.property(records, (log) => {
      const content = finalContent(log);
      for (const [index, piece] of content.entries()) {
        const next = content[index + 1];
        expect(piece.length > 0 && piece.data?.length !== 0).toBe(true);
        expect(next === undefined || extentEnd(piece) <= next.offset).toBe(true);
      }
      const blank = Buffer.alloc(BYTES, 9);
      expect(written(blank, content).equals(written(blank, log))).toBe(true);
    }),
    { numRuns: 80 },
  );
});
