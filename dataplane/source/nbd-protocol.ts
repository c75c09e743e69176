/**
 * Numbers and layouts of the NBD protocol, fixed newstyle (github.com/NetworkBlockDevice/nbd, doc/proto.md).
 * All integers are big-endian.
 */
export const NBD_MAGIC = 0x4e42444d41474943n; // "NBDMAGIC"
export const OPTION_MAGIC = 0x49484156454f5054n; // "IHAVEOPT"
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

export const FLAG_FIXED_NEWSTYLE = 1;
export const FLAG_NO_ZEROES = 2;

/** Transmission flags: what an export can do. The others mean nothing unless `present` is set. */
export const exportFlag = { present: 1, readOnly: 2, flush: 4, writeZeroes: 64, fastZero: 2_048 } as const;

export const option = { starttls: 5, go: 7, structuredReply: 8, setMetaContext: 10 } as const;
export const optionReply = { ack: 1, info: 3, metaContext: 4 } as const;
/** Option replies from here on are errors. */
export const OPTION_ERROR_BASE = 2 ** 31;
export const info = { export: 0, blockSize: 3 } as const;

export const command = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  writeZeroes: 6,
  blockStatus: 7,
} as const;
export type Command = (typeof command)[keyof typeof command];

/** Zeros only if that takes less time than writing them; otherwise the answer is ENOTSUP. */
export const FLAG_FAST_ZERO = 16;

export const chunk = { none: 0, offsetData: 1, offsetHole: 2, blockStatus: 5 } as const;
export const CHUNK_FLAG_DONE = 1;
/** Chunk types from here on carry an error. */
export const CHUNK_ERROR_BASE = 2 ** 15;

export const ALLOCATION_CONTEXT = 'base:allocation';
export const STATUS_ZERO = 2;

export const OPTION_REPLY_BYTES = 20;
export const SIMPLE_REPLY_REST_BYTES = 12;
export const STRUCTURED_REPLY_REST_BYTES = 16;
/** No option reply or error text of an honest server is longer. */
export const OPTION_REPLY_DATA_MAX = 64 * 1024;
/** Largest payload every server has to accept. */
export const PAYLOAD_BYTES_MAX = 32 * 1024 * 1024;

const errorNames: Readonly<Record<number, string>> = {
  1: 'EPERM',
  5: 'EIO',
  12: 'ENOMEM',
  22: 'EINVAL',
  28: 'ENOSPC',
  75: 'EOVERFLOW',
  95: 'ENOTSUP',
  108: 'ESHUTDOWN',
};

/** The server carries the request out not, or not wholly. */
export class NbdRefusal extends Error {
  /** As in errno.h: `ENOTSUP`; `error 77` where it has no name here. */
  readonly code: string;

  constructor(number: number) {
    const code = errorNames[number] ?? `error ${number}`;
    super(`the server answers ${code}`);
    this.code = code;
  }
}

export function encodeOption(code: number, data: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(OPTION_MAGIC, 0);
  head.writeUInt32BE(code, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}

export function encodeRequest(request: {
  readonly command: Command;
  readonly handle: bigint;
  readonly offset: number;
  readonly length: number;
  readonly flags?: number | undefined;
}): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt32BE(REQUEST_MAGIC, 0);
  bytes.writeUInt16BE(request.flags ?? 0, 4);
  bytes.writeUInt16BE(request.command, 6);
  bytes.writeBigUInt64BE(request.handle, 8);
  bytes.writeBigUInt64BE(BigInt(request.offset), 16);
  bytes.writeUInt32BE(request.length, 24);
  return bytes;
}

/** A string with its length in four bytes before it. */
export function sized(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
