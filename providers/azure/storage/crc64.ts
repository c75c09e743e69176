/**
 * The checksum that Azure calls CRC64: reflected, polynomial 0x9A6C9329AC4BC9B5, all bits set before and turned after.
 * Eight bytes a step by eight tables; each entry is kept as two halves of 32 bits, which JavaScript is fast with.
 */
const POLYNOMIAL = 0x9a6c_9329_ac4b_c9b5n;
const SLICES = 8;

const low = new Int32Array(SLICES * 256);
const high = new Int32Array(SLICES * 256);

for (let byte = 0; byte < 256; byte += 1) {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1n) ^ ((crc & 1n) === 1n ? POLYNOMIAL : 0n);
  low[byte] = Number(BigInt.asIntN(32, crc));
  high[byte] = Number(BigInt.asIntN(32, crc >> 32n));
}
for (let index = 256; index < SLICES * 256; index += 1) {
  const before = low[index - 256] ?? 0;
  const shifted = (before >>> 8) | ((high[index - 256] ?? 0) << 24);
  low[index] = shifted ^ (low[before & 0xff] ?? 0);
  high[index] = ((high[index - 256] ?? 0) >>> 8) ^ (high[before & 0xff] ?? 0);
}

/** Eight bytes, the lowest first, as the header `x-ms-content-crc64` wants them. */
export function crc64(bytes: Uint8Array): Buffer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength - (bytes.byteLength % 8);
  let lo = -1;
  let hi = -1;
  for (let at = 0; at < end; at += 8) {
    const a = lo ^ view.getInt32(at, true);
    const b = hi ^ view.getInt32(at + 4, true);
    const i7 = 1_792 + (a & 0xff);
    const i6 = 1_536 + ((a >>> 8) & 0xff);
    const i5 = 1_280 + ((a >>> 16) & 0xff);
    const i4 = 1_024 + (a >>> 24);
    const i3 = 768 + (b & 0xff);
    const i2 = 512 + ((b >>> 8) & 0xff);
    const i1 = 256 + ((b >>> 16) & 0xff);
    const i0 = b >>> 24;
    lo = low[i7]! ^ low[i6]! ^ low[i5]! ^ low[i4]! ^ low[i3]! ^ low[i2]! ^ low[i1]! ^ low[i0]!;
    hi = high[i7]! ^ high[i6]! ^ high[i5]! ^ high[i4]! ^ high[i3]! ^ high[i2]! ^ high[i1]! ^ high[i0]!;
  }
  for (let at = end; at < bytes.byteLength; at += 1) {
    const index = (lo ^ (bytes[at] ?? 0)) & 0xff;
    lo = ((lo >>> 8) | (hi << 24)) ^ (low[index] ?? 0);
    hi = (hi >>> 8) ^ (high[index] ?? 0);
  }
  const result = Buffer.alloc(8);
  result.writeInt32LE(~lo, 0);
  result.writeInt32LE(~hi, 4);
  return result;
}
