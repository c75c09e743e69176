/** What is read of a disk, and in which pieces it is handed on. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readPieces } from '../../dataplane/ship/pieces.ts';
import { ReadRing } from '../../dataplane/ship/read-ring.ts';
import { openNbdSource } from '../../dataplane/source/nbd-source.ts';
import { coalesceExtents, extentEnd, totalBytes } from '../../domain/extents.ts';
import type { DiskSource } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { startNbdServer } from './support/nbd-server.ts';
import type { NbdServer } from './support/nbd-server.ts';
import { seededRandom } from './support/random.ts';

const random = seededRandom('pieces');
const never = new AbortController().signal;
const DISK_BYTES = 12 * MiB;
const content = random.bytes(DISK_BYTES);
let folder: string;
let server: NbdServer;
let disk: DiskSource;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchback-pieces-'));
  const file = path.join(folder, 'disk');
  const socketPath = path.join(folder, 'sock');
  await writeFile(file, content);
  server = await startNbdServer({ file, exportName: 'disk', socketPath });
  const nbd = { host: '', port: 0, socketPath, exportName: 'disk', close: () => Promise.resolve() };
  disk = await openNbdSource(nbd, never);
});

afterAll(async () => {
  await disk.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The source, and what was read of it. */
function noted(): { readonly source: DiskSource; readonly reads: Extent[] } {
  const reads: Extent[] = [];
  const read: DiskSource['read'] = (offset, into, signal) => {
    reads.push({ offset, length: into.length });
    return disk.read(offset, into, signal);
  };
  return { source: { ...disk, read }, reads };
}

const lists = fc.array(
  fc.record({
    gap: fc.nat(400),
    sectors: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 5000 })),
  }),
  { maxLength: 60 },
);

function extentsOf(list: readonly { readonly gap: number; readonly sectors: number }[]): Extent[] {
  let at = 0;
  const extents = list.map(({ gap, sectors }) => {
    const extent = { offset: at + gap * 512, length: sectors * 512 };
    at = extentEnd(extent);
    return extent;
  });
  return extents.filter((extent) => extentEnd(extent) <= DISK_BYTES);
}

test('pieces are exactly the extents with the bytes of the disk, and nothing is read twice', async () => {
  await fc.assert(
    fc.asyncProperty(lists, fc.constantFrom(undefined, 0, 16 * KiB), async (list, gapBytes) => {
      const extents = extentsOf(list);
      const { source, reads } = noted();
      const request = { source, extents, ...(gapBytes === undefined ? {} : { gapBytes }) };
      const pieces: Extent[] = [];
      let readBytes = 0;
      for await (const { offset, length, data, ...piece } of readPieces(request, never)) {
        expect(data?.equals(content.subarray(offset, offset + length))).toBe(true);
        pieces.push({ offset, length });
        readBytes += piece.readBytes;
      }
      expect(coalesceExtents(pieces, 0)).toEqual(coalesceExtents(extents, 0));
      expect(totalBytes(pieces)).toBe(totalBytes(extents));
      expect(readBytes).toBe(totalBytes(reads));
      expect(reads.every(({ length }) => length <= MiB)).toBe(true);
      expect(totalBytes(coalesceExtents(reads, 0))).toBe(readBytes);
      if (gapBytes === 0) expect(readBytes).toBe(totalBytes(extents));
    }),
    { numRuns: 40, seed: random.int(2 ** 31) },
  );
});

test('small extents far apart are under way together', async () => {
  const extents = Array.from({ length: 100 }, (_unused, index) => ({
    offset: index * 100 * KiB,
    length: 4 * KiB,
  }));
  let open = 0;
  let openMost = 0;
  const read: DiskSource['read'] = async (offset, into, signal) => {
    open += 1;
    openMost = Math.max(openMost, open);
    await disk.read(offset, into, signal);
    open -= 1;
  };
  for await (const { data, offset } of readPieces({ source: { ...disk, read }, extents }, never)) {
    expect(data?.equals(content.subarray(offset, offset + 4 * KiB))).toBe(true);
  }
  expect(openMost).toBe(32);
});

test('memory that is read into is never handed out twice at once', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(null)), { maxLength: 200 }),
      (steps) => {
        const ring = new ReadRing(64);
        const held: Buffer[] = [];
        for (const [index, step] of steps.entries()) {
          const taken = step === null ? null : ring.take(step);
          if (step === null && held.length > 0) {
            held.shift();
            ring.giveOldest();
          }
          if (taken === null) continue;
          taken.fill(index % 256);
          held.push(taken);
          for (const buffer of held) expect(new Set(buffer).size).toBe(1);
          const bytes = held.reduce((sum, buffer) => sum + buffer.length, 0);
          expect(bytes).toBeLessThanOrEqual(64);
        }
        if (held.length === 0) expect(ring.take(64)).toHaveLength(64);
      },
    ),
    { seed: random.int(2 ** 31) },
  );
});
