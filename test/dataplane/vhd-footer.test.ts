import { expect, test } from '@jest/globals';
import { vhdFooter } from '../../dataplane/apply/vhd-footer.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId } from '../../domain/ids.ts';
import { GiB, MiB } from '../../domain/units.ts';

const DISK = asId<DiskId>('00112233445566778899aabbccddeeff');
const sizes = [MiB, 20 * MiB, 101 * MiB, 2047 * MiB, 127 * GiB, 8191 * GiB];

/** Bytes, cylinders, heads, sectors per track: worked out by hand from the specification's appendix. */
const geometries: readonly (readonly [number, number, number, number])[] = [
  [20 * MiB, 602, 4, 17],
  [127 * GiB, 65_278, 16, 255],
  [8191 * GiB, 65_535, 16, 255],
];

test.each(sizes)('the footer of %d bytes says so, and its checksum holds', (bytes) => {
  const footer = vhdFooter(bytes, DISK);
  expect(footer.length).toBe(512);
  expect(footer.toString('latin1', 0, 8)).toBe('conectix');
  expect(footer.readBigUInt64BE(40)).toBe(BigInt(bytes));
  expect(footer.readBigUInt64BE(48)).toBe(BigInt(bytes));
  expect(footer.readUInt32BE(60)).toBe(2);
  expect(footer.toString('hex', 68, 84)).toBe(DISK);
  const stored = footer.readUInt32BE(64);
  footer.writeUInt32BE(0, 64);
  let sum = 0;
  for (const byte of footer) sum += byte;
  expect(stored).toBe(0xffff_ffff - sum);
});

test.each(geometries)(
  'the geometry of %d bytes is the specification’s',
  (bytes, cylinders, heads, sectors) => {
    const footer = vhdFooter(bytes, DISK);
    expect([footer.readUInt16BE(56), footer.readUInt8(58), footer.readUInt8(59)]).toEqual([
      cylinders,
      heads,
      sectors,
    ]);
  },
);

test('the same disk has the same footer whoever writes it', () => {
  expect(vhdFooter(MiB, DISK).equals(vhdFooter(MiB, DISK))).toBe(true);
});
