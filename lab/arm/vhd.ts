import { createHash } from 'node:crypto';
import { MiB, VHD_FOOTER_BYTES } from '../../domain/units.ts';

const CHECKSUM_AT = 64;
const TYPE_FIXED = 2;

/**
 * Why Azure would refuse a blob of `bytes` whose last 512 bytes are `footer`; null: a fixed VHD of a whole number of MiB.
 * Layout: Microsoft's Virtual Hard Disk Image Format Specification, "Hard Disk Footer Format".
 */
export function refusalOfVhd(
  footer: Uint8Array,
  bytes: number,
): 'size' | 'cookie' | 'checksum' | 'type' | 'currentSize' | null {
  if (!isVhdSize(bytes)) return 'size';
  const view = Buffer.from(footer.buffer, footer.byteOffset, footer.byteLength);
  if (view.toString('latin1', 0, 8) !== 'conectix') return 'cookie';
  if (view.readUInt32BE(CHECKSUM_AT) !== checksum(view)) return 'checksum';
  if (view.readUInt32BE(60) !== TYPE_FIXED) return 'type';
  if (view.readBigUInt64BE(48) !== BigInt(bytes - VHD_FOOTER_BYTES)) return 'currentSize';
  return null;
}

export function isVhdSize(bytes: number): boolean {
  return bytes > VHD_FOOTER_BYTES && (bytes - VHD_FOOTER_BYTES) % MiB === 0;
}

/** Footer of an exported disk: the same for the same disk, so that a range may be read twice. */
export function makeFooter(diskBytes: number, uniqueId: string): Buffer {
  const footer = Buffer.alloc(VHD_FOOTER_BYTES);
  footer.write('conectix', 0, 'latin1');
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x1_0000, 12);
  footer.fill(0xff, 16, 24);
  footer.write('win ', 28, 'latin1');
  footer.writeUInt32BE(0xa_0000, 32);
  footer.write('Wi2k', 36, 'latin1');
  footer.writeBigUInt64BE(BigInt(diskBytes), 40);
  footer.writeBigUInt64BE(BigInt(diskBytes), 48);
  const { cylinders, heads, sectors } = geometry(diskBytes);
  footer.writeUInt16BE(cylinders, 56);
  footer.writeUInt8(heads, 58);
  footer.writeUInt8(sectors, 59);
  footer.writeUInt32BE(TYPE_FIXED, 60);
  createHash('sha256').update(uniqueId).digest().copy(footer, 68, 0, 16);
  footer.writeUInt32BE(checksum(footer), CHECKSUM_AT);
  return footer;
}

/** One's complement of the sum of all bytes but the checksum itself. */
function checksum(footer: Uint8Array): number {
  const sum = footer.reduce((total, byte, at) => (at >> 2 === CHECKSUM_AT >> 2 ? total : total + byte), 0);
  return ~sum >>> 0;
}

/** The specification's CHS calculation; the values only matter to readers that ignore the size fields. */
function geometry(diskBytes: number): { cylinders: number; heads: number; sectors: number } {
  const total = Math.min(Math.floor(diskBytes / 512), 65_535 * 16 * 255);
  if (total >= 65_535 * 16 * 63) return { cylinders: Math.floor(total / 255 / 16), heads: 16, sectors: 255 };
  const heads17 = Math.max(4, Math.ceil(Math.floor(total / 17) / 1024));
  const candidates = [
    { heads: heads17, sectors: 17 },
    { heads: 16, sectors: 31 },
  ];
  const fits = candidates.find(
    ({ heads, sectors }) => heads <= 16 && Math.floor(total / sectors) < heads * 1024,
  ) ?? { heads: 16, sectors: 63 };
  return { ...fits, cylinders: Math.floor(Math.floor(total / fits.sectors) / fits.heads) };
}
