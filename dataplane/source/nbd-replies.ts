/** Takes replies off the connection and settles the requests they answer. */
import { extentEnd } from '../../domain/extents.ts';
import type { Extent } from '../../domain/replication.ts';
import { KiB, SECTOR_BYTES } from '../../domain/units.ts';
import {
  CHUNK_ERROR_BASE,
  CHUNK_FLAG_DONE,
  NbdRefusal,
  PAYLOAD_BYTES_MAX,
  SIMPLE_REPLY_MAGIC,
  SIMPLE_REPLY_REST_BYTES,
  STRUCTURED_REPLY_MAGIC,
  STRUCTURED_REPLY_REST_BYTES,
  chunk,
  command,
} from './nbd-protocol.ts';
import type { Command } from './nbd-protocol.ts';
import type { ByteReader } from './socket-reader.ts';

export interface PendingRequest {
  readonly command: Command;
  readonly offset: number;
  readonly length: number;
  /** Null: there is no data to read, or nobody waits for it any more. */
  into: Uint8Array | null;
  /** The system itself writes to `into`. */
  isReceiving: boolean;
  /** Of a read: what data and hole chunks have filled, relative to `offset`, in order of arrival. */
  readonly filled: Extent[];
  missingBytes: number;
  status: { readonly length: number; readonly flags: number }[];
  /** The first error chunk; reported when the reply is complete. */
  error: Error | null;
  settle(error: Error | null): void;
}

/** Chunks of one read at most: an honest server tells sectors apart, not bytes. */
const CHUNKS_MAX = PAYLOAD_BYTES_MAX / SECTOR_BYTES;
/** A million extents, the most that nbdkit tells at once. */
const STATUS_BYTES_MAX = 4 + 8 * 2 ** 20;
const ERROR_BYTES_MAX = 64 * KiB;

/** What a chunk may say it is long, before memory is set aside for it. Data goes straight to where it belongs. */
const chunkBytesMax: Readonly<Record<number, number>> = {
  [chunk.none]: 0,
  [chunk.offsetData]: PAYLOAD_BYTES_MAX + 8,
  [chunk.offsetHole]: 12,
  [chunk.blockStatus]: STATUS_BYTES_MAX,
};

interface Chunk {
  readonly type: number;
  readonly length: number;
  readonly request: PendingRequest;
}

/** Runs until the connection ends or breaks the protocol, and then throws. */
export async function readReplies(
  reader: ByteReader,
  allocationContext: number | null,
  pending: Map<bigint, PendingRequest>,
): Promise<never> {
  for (;;) {
    const magic = (await reader.exactly(4)).readUInt32BE(0);
    if (magic === SIMPLE_REPLY_MAGIC) await readSimpleReply(reader, pending);
    else if (magic === STRUCTURED_REPLY_MAGIC) await readChunk(reader, allocationContext, pending);
    else throw new Error('the server broke the NBD protocol: unknown reply');
  }
}

async function readSimpleReply(reader: ByteReader, pending: Map<bigint, PendingRequest>): Promise<void> {
  const rest = await reader.exactly(SIMPLE_REPLY_REST_BYTES);
  const code = rest.readUInt32BE(0);
  const handle = rest.readBigUInt64BE(4);
  const request = find(pending, handle);
  if (code === 0 && request.command === command.read) {
    await receive(reader, request, { offset: 0, length: request.length });
  }
  pending.delete(handle);
  request.settle(code === 0 ? null : new NbdRefusal(code));
}

async function readChunk(
  reader: ByteReader,
  allocationContext: number | null,
  pending: Map<bigint, PendingRequest>,
): Promise<void> {
  const rest = await reader.exactly(STRUCTURED_REPLY_REST_BYTES);
  const isDone = (rest.readUInt16BE(0) & CHUNK_FLAG_DONE) !== 0;
  const handle = rest.readBigUInt64BE(4);
  const request = find(pending, handle);
  const part: Chunk = { type: rest.readUInt16BE(2), length: rest.readUInt32BE(12), request };
  if (part.length > (chunkBytesMax[part.type] ?? ERROR_BYTES_MAX)) {
    throw new Error('the server sends an oversized reply');
  }
  await readPayload(reader, part, allocationContext);
  if (!isDone) return;
  if (request.error === null && request.command === command.read) checkFilled(request);
  pending.delete(handle);
  request.settle(request.error);
}

async function readPayload(reader: ByteReader, part: Chunk, allocationContext: number | null): Promise<void> {
  const { type, length, request } = part;
  if (type === chunk.offsetData && length > 8) {
    const at = await position(reader, request, length - 8);
    await receive(reader, request, { offset: at, length: length - 8 });
    return;
  }
  const payload = await reader.exactly(length);
  if (type === chunk.offsetHole && length === 12) {
    const at = claimPosition(request, Number(payload.readBigUInt64BE(0)), payload.readUInt32BE(8));
    request.into?.fill(0, at, at + payload.readUInt32BE(8));
  } else if (type === chunk.blockStatus && length >= 12 && length % 8 === 4) {
    if (payload.readUInt32BE(0) === allocationContext) request.status = decodeStatus(payload);
  } else if (type >= CHUNK_ERROR_BASE && length >= 6) {
    request.error ??= new NbdRefusal(payload.readUInt32BE(0));
  } else if (type !== chunk.none) {
    throw new Error(`the server broke the NBD protocol: chunk of type ${type} with ${length} bytes`);
  }
}

async function receive(reader: ByteReader, request: PendingRequest, part: Extent): Promise<void> {
  request.isReceiving = reader.isDirect;
  await reader.fill(
    part.length,
    () => request.into?.subarray(part.offset, part.offset + part.length) ?? null,
  );
  request.isReceiving = false;
}

async function position(reader: ByteReader, request: PendingRequest, length: number): Promise<number> {
  const offset = Number((await reader.exactly(8)).readBigUInt64BE(0));
  return claimPosition(request, offset, length);
}

function claimPosition(request: PendingRequest, offset: number, length: number): number {
  const at = offset - request.offset;
  if (request.command !== command.read || at < 0 || length === 0 || at + length > request.length) {
    throw new Error('the server broke the NBD protocol: data outside the request');
  }
  request.filled.push({ offset: at, length });
  request.missingBytes -= length;
  if (request.missingBytes < 0 || request.filled.length > CHUNKS_MAX) throw patchy();
  return at;
}

/** A byte that no chunk brought would be whatever the buffer held before. */
function checkFilled({ filled, missingBytes }: PendingRequest): void {
  const inOrder = filled.toSorted((a, b) => a.offset - b.offset);
  const isSeamless = inOrder.every(({ offset }, index) => {
    const before = inOrder[index - 1];
    return offset === (before === undefined ? 0 : extentEnd(before));
  });
  if (!isSeamless || missingBytes !== 0) throw patchy();
}

function patchy(): Error {
  return new Error('the server broke the NBD protocol: a reply with gaps or overlaps');
}

function decodeStatus(payload: Buffer): { length: number; flags: number }[] {
  const status: { length: number; flags: number }[] = [];
  for (let at = 4; at < payload.length; at += 8) {
    status.push({ length: payload.readUInt32BE(at), flags: payload.readUInt32BE(at + 4) });
  }
  return status;
}

function find(pending: Map<bigint, PendingRequest>, handle: bigint): PendingRequest {
  const request = pending.get(handle);
  if (request === undefined) throw new Error('the server broke the NBD protocol: reply to no request');
  return request;
}
