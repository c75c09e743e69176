/** What an NBD server says, honest or not: every number can be another one than the truth. */
import type { Random } from '../support/random.ts';
import { interesting } from './mutate.ts';

/** A number as it goes out: the value, or now and then a lie of so many bits. */
export type Teller = (value: number | bigint, bits: 16 | 32 | 64) => bigint;

export const honest: Teller = (value) => BigInt(value);

/** One number in `lieIn` is a lie. */
export function liar(random: Random, lieIn: number): Teller {
  return (value, bits) => {
    if (random.int(lieIn) > 0) return BigInt(value);
    const near = BigInt(value) + BigInt(random.int(9) - 4);
    return BigInt.asUintN(bits, random.int(2) === 0 ? interesting(random) : near);
  };
}

export function greeting(tell: Teller): Buffer {
  return joined('NBDMAGICIHAVEOPT', u16(tell(3, 16)));
}

export function optionReply(tell: Teller, option: number, type: number, data: Buffer): Buffer {
  const head = [u64(tell(0x0003e889045565a9n, 64)), u32(tell(option, 32)), u32(tell(type, 32))];
  return joined(...head, u32(tell(data.length, 32)), data);
}

export function exportInfo(tell: Teller, bytes: number, flags: number): Buffer {
  return joined(u16(tell(0, 16)), u64(tell(bytes, 64)), u16(tell(flags, 16)));
}

export function blockSizeInfo(tell: Teller, bytesMin: number): Buffer {
  return joined(u16(tell(3, 16)), u32(tell(bytesMin, 32)), u32(4096n), u32(2n ** 25n));
}

export function metaContext(tell: Teller, id: number): Buffer {
  return joined(u32(tell(id, 32)), 'base:allocation');
}

export function simpleReply(tell: Teller, handle: number, error: number, data = ''): Buffer {
  return joined(u32(tell(0x67446698, 32)), u32(tell(error, 32)), u64(tell(handle, 64)), data);
}

export function chunk(tell: Teller, handle: number, type: number, payload: Buffer, isDone: boolean): Buffer {
  const flags = u16(tell(isDone ? 1 : 0, 16));
  const head = [u32(tell(0x668e33ef, 32)), flags, u16(tell(type, 16)), u64(tell(handle, 64))];
  return joined(...head, u32(tell(payload.length, 32)), payload);
}

export function offsetData(tell: Teller, offset: number, length: number): Buffer {
  return joined(u64(tell(offset, 64)), Buffer.alloc(length, 'd'));
}

export function offsetHole(tell: Teller, offset: number, length: number): Buffer {
  return joined(u64(tell(offset, 64)), u32(tell(length, 32)));
}

export function status(tell: Teller, id: number, extents: readonly (readonly [number, number])[]): Buffer {
  const told = extents.flatMap(([length, flags]) => [u32(tell(length, 32)), u32(tell(flags, 32))]);
  return joined(u32(tell(id, 32)), ...told);
}

export function errorPayload(tell: Teller, code: number): Buffer {
  return joined(u32(tell(code, 32)), u16(tell(4, 16)), 'oops');
}

function joined(...parts: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
}

function u16(value: bigint): Buffer {
  return bigEndian(value, 2);
}

function u32(value: bigint): Buffer {
  return bigEndian(value, 4);
}

function u64(value: bigint): Buffer {
  return bigEndian(value, 8);
}

function bigEndian(value: bigint, bytes: number): Buffer {
  const digits = Buffer.alloc(8);
  digits.writeBigUInt64BE(BigInt.asUintN(bytes * 8, value));
  return digits.subarray(8 - bytes);
}
