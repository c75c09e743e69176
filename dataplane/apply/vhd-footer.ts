/** Footer of a fixed VHD ("Virtual Hard Disk Image Format Specification", Microsoft, 2006). All integers are big-endian. */
import type { DiskId } from '../../domain/ids.ts';
import { SECTOR_BYTES, VHD_FOOTER_BYTES } from '../../domain/units.ts';

const FIXED = 2;
const NO_DYNAMIC_HEADER = 0xffff_ffff_ffff_ffffn;

/**
 * The same bytes for the same disk, whoever writes them. `diskBytes` is the length before the footer.
 * The creator `win ` makes readers take the size field and not the geometry, which cannot express every size.
 */
export function vhdFooter(diskBytes: number, disk: DiskId): Buffer {
  const footer = Buffer.alloc(VHD_FOOTER_BYTES);
  footer.write('conectix', 0, 'latin1');
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x0001_0000, 12);
  footer.writeBigUInt64BE(NO_DYNAMIC_HEADER, 16);
  footer.write('win ', 28, 'latin1');
  footer.writeUInt32BE(0x000a_0000, 32);
  footer.write('Wi2k', 36, 'latin1');
  footer.writeBigUInt64BE(BigInt(diskBytes), 40);
  footer.writeBigUInt64BE(BigInt(diskBytes), 48);
  writeGeometry(footer, diskBytes);
  footer.writeUInt32BE(FIXED, 60);
  footer.write(disk, 68, 'hex');
  footer.writeUInt32BE(checksum(footer), 64);
  return footer;
}

/** Cylinders, heads and sectors by the specification's appendix. */
function writeGeometry(footer: Buffer, diskBytes: number): void {
  const sectors = Math.min(Math.floor(diskBytes / SECTOR_BYTES), 65_535 * 16 * 255);
  let sectorsPerTrack = 255;
  let heads = 16;
  let cylinderHeads = Math.floor(sectors / sectorsPerTrack);
  if (sectors < 65_535 * 16 * 63) {
    sectorsPerTrack = 17;
    cylinderHeads = Math.floor(sectors / sectorsPerTrack);
    heads = Math.max(4, Math.ceil(cylinderHeads / 1024));
    if (cylinderHeads >= heads * 1024 || heads > 16) {
      sectorsPerTrack = 31;
      heads = 16;
      cylinderHeads = Math.floor(sectors / sectorsPerTrack);
    }
    if (cylinderHeads >= heads * 1024) {
      sectorsPerTrack = 63;
      cylinderHeads = Math.floor(sectors / sectorsPerTrack);
    }
  }
  footer.writeUInt16BE(Math.floor(cylinderHeads / heads), 56);
  footer.writeUInt8(heads, 58);
  footer.writeUInt8(sectorsPerTrack, 59);
}

/** One's complement of the sum of all bytes, the checksum field taken as zero. */
function checksum(footer: Buffer): number {
  return ~footer.reduce((sum, byte) => sum + byte, 0) >>> 0;
}
