import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GiB, MiB, VHD_FOOTER_BYTES } from '../../domain/units.ts';
import { formatAddress, nextFree, parseAddress, parsePrefix } from '../../lab/arm/addresses.ts';
import { changedRuns, BlockMap, BLOCK, BLOCK_BYTES } from '../../lab/arm/block-map.ts';
import { coalesce } from '../../lab/arm/blob-source.ts';
import { ByteStore } from '../../lab/arm/bytes.ts';
import { parseRange } from '../../lab/arm/disk-access.ts';
import { Store } from '../../lab/arm/store.ts';
import { makeFooter, refusalOfVhd } from '../../lab/arm/vhd.ts';

test('a footer is accepted for its own size and refused after any change of a byte', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8_191 * 1_024 }), fc.nat(511), (mebibytes, at) => {
      const bytes = mebibytes * MiB;
      const footer = makeFooter(bytes, 'disk');
      expect(refusalOfVhd(footer, bytes + VHD_FOOTER_BYTES)).toBeNull();
      expect(refusalOfVhd(footer, bytes + MiB + VHD_FOOTER_BYTES)).toBe('currentSize');
      footer.writeUInt8(footer.readUInt8(at) ^ 1, at);
      expect(refusalOfVhd(footer, bytes + VHD_FOOTER_BYTES)).not.toBeNull();
    }),
  );
  expect(refusalOfVhd(makeFooter(GiB, 'disk'), GiB)).toBe('size');
});

test('addresses come back as written, and the first free one is never reserved or taken', () => {
  fc.assert(fc.property(fc.ipV4(), (text) => formatAddress(parseAddress(text) ?? -1) === text));
  const prefix = parsePrefix('10.0.0.0/29');
  if (prefix === null) throw new Error('no prefix');
  expect(nextFree(prefix, new Set())).toBe('10.0.0.4');
  expect(nextFree(prefix, new Set(['10.0.0.4', '10.0.0.5', '10.0.0.6']))).toBeNull();
  expect(parsePrefix('10.0.0.1/24')).toBeNull();
});

test('coalesced ranges hold every byte of the given ones', () => {
  const range = fc.tuple(fc.nat(1_000), fc.integer({ min: 1, max: 50 }));
  fc.assert(
    fc.property(fc.array(range), fc.nat(20), (given, gap) => {
      const ranges = given.map(([start, length]) => ({ start, end: start + length }));
      const joined = coalesce(ranges, gap);
      for (const { start, end } of ranges) {
        expect(joined.some((each) => each.start <= start && end <= each.end)).toBe(true);
      }
      for (const [index, each] of joined.slice(1).entries()) {
        expect(each.start - (joined[index]?.end ?? 0)).toBeGreaterThan(gap);
      }
    }),
  );
});

test('a range of a blob is half open and ends with the blob', () => {
  expect(parseRange('bytes=0-511', 1_024)).toEqual({ start: 0, end: 512 });
  expect(parseRange('bytes=1000-', 1_024)).toEqual({ start: 1_000, end: 1_024 });
  expect(parseRange('bytes=0-9999', 1_024)).toEqual({ start: 0, end: 1_024 });
  expect(parseRange('bytes=1024-1030', 1_024)).toBeNull();
});

test('what changed is what later maps hold, and what they gave back of bytes that were there', () => {
  const state = fc.constantFrom(BLOCK.absent, BLOCK.data, BLOCK.cleared);
  const blocks = 5_000;
  const layer = fc.array(fc.tuple(fc.nat(blocks - 1), fc.integer({ min: 1, max: 300 }), state));
  fc.assert(
    fc.property(fc.array(layer, { minLength: 1, maxLength: 5 }), fc.nat(4), (layers, cut) => {
      const maps = layers.map((writes) => {
        const map = new BlockMap();
        for (const [first, count, to] of writes) map.set(first, Math.min(count, blocks - first), to);
        return map;
      });
      const since = Math.min(cut, layers.length);
      const before = newestStates(layers.slice(0, since), blocks);
      const after = newestStates(layers.slice(since), blocks);
      const expected = after.flatMap((now, block) => {
        const isClear = now === BLOCK.cleared && before[block] === BLOCK.data;
        return now === BLOCK.data || isClear ? [{ block, isClear }] : [];
      });
      const runs = [...changedRuns(maps, since, { start: 0, end: blocks * BLOCK_BYTES })];
      const found = runs.flatMap(({ start, end, isClear }) =>
        Array.from({ length: (end - start) / BLOCK_BYTES }, (_, index) => ({
          block: start / BLOCK_BYTES + index,
          isClear,
        })),
      );
      expect(found).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

test('a write that a kill tore out of the log was not written, and the next one is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-bytes-'));
  try {
    const bytes = new ByteStore(folder);
    bytes.write(['layer'], 0, Buffer.alloc(BLOCK_BYTES, 1));
    bytes.close();
    await appendFile(join(folder, 'bytes', 'layer.blocks'), Buffer.from([9, 9, 9]));
    bytes.write(['layer'], 2 * BLOCK_BYTES, Buffer.alloc(BLOCK_BYTES, 2));
    bytes.close();
    expect([...bytes.runs(['layer'], 0, { start: 0, end: MiB })]).toEqual([
      { start: 0, end: BLOCK_BYTES, isClear: false },
      { start: 2 * BLOCK_BYTES, end: 3 * BLOCK_BYTES, isClear: false },
    ]);
    expect(bytes.readInto(['layer'], 2 * BLOCK_BYTES - 1, Buffer.alloc(2))).toEqual(Buffer.from([0, 2]));
    bytes.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('what was committed is there after a crash, a torn last line is not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-store-'));
  try {
    const store = new Store(folder);
    store.commit([{ settings: { ...store.settings, importMs: 7 } }]);
    store.close();
    await appendFile(join(folder, 'state.log'), '[{"settings":{"importMs":8');
    const again = new Store(folder);
    expect(again.settings.importMs).toBe(7);
    again.commit([{ settings: { ...again.settings, importMs: 9 } }]);
    again.close();
    const last = new Store(folder);
    expect(last.settings.importMs).toBe(9);
    last.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** The newest state of each block that a write of these layers left. */
function newestStates(layers: readonly (readonly [number, number, number][])[], blocks: number): number[] {
  const states = Array.from({ length: blocks }, () => BLOCK.absent as number);
  for (const writes of layers) {
    const own = new Uint8Array(blocks);
    for (const [first, count, to] of writes) own.fill(to, first, Math.min(blocks, first + count));
    for (const [block, state] of own.entries()) if (state !== BLOCK.absent) states[block] = state;
  }
  return states;
}
