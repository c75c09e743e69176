import { execFile } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
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

/** Where qemu-img is installed it is the referee; the checks above stand without it. */
test('qemu-img, where present, reads the exact size', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchback-vhd-'));
  try {
    const file = path.join(folder, 'disk.vhd');
    const handle = await open(file, 'w');
    await handle.write(vhdFooter(101 * MiB, DISK), 0, 512, 101 * MiB);
    await handle.close();
    expect((await handleSize(file)) - 512).toBe(101 * MiB);
    const info = await promisify(execFile)('qemu-img', ['info', '-f', 'vpc', '--output=json', file]).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      },
    );
    if (info !== null) expect(JSON.parse(info.stdout)).toMatchObject({ 'virtual-size': 101 * MiB });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function handleSize(file: string): Promise<number> {
  const handle = await open(file);
  const { size } = await handle.stat();
  await handle.close();
  return size;
}
