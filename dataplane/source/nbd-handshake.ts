/** From a fresh connection to an export that is ready for requests. */
import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { KiB, SECTOR_BYTES } from '../../domain/units.ts';
import {
  ALLOCATION_CONTEXT,
  FLAG_FIXED_NEWSTYLE,
  FLAG_NO_ZEROES,
  NBD_MAGIC,
  OPTION_ERROR_BASE,
  OPTION_MAGIC,
  OPTION_REPLY_BYTES,
  OPTION_REPLY_DATA_MAX,
  OPTION_REPLY_MAGIC,
  PAYLOAD_BYTES_MAX,
  encodeOption,
  info,
  option,
  optionReply,
  sized,
} from './nbd-protocol.ts';
import { SocketReader } from './socket-reader.ts';
import type { ByteReader } from './socket-reader.ts';

export interface NbdAddress {
  readonly host: string;
  readonly port: number;
  /** Instead of host and port. */
  readonly socketPath?: string;
  readonly exportName: string;
  /** PEM of the one certificate that is accepted; the connection becomes TLS before the export is named. */
  readonly tlsCertificate?: string;
}

/** What the lengths and offsets of requests have to be. */
export interface NbdBlocks {
  /** Power of two; offsets and lengths are multiples of it. */
  readonly blockBytesMin: number;
  /** Of one read or write. */
  readonly payloadBytesMax: number;
}

export interface NbdExport extends NbdBlocks {
  /** The TLS socket when the connection was upgraded. */
  readonly socket: Socket;
  readonly reader: ByteReader;
  readonly bytes: number;
  /** See `exportFlag`. */
  readonly flags: number;
  /** Null: the server tells no block status. */
  readonly allocationContext: number | null;
}

const NO_DATA = Buffer.alloc(0);
const FIRST_MESSAGE_BYTES = 18;
/** No honest server says more about one option. */
const OPTION_REPLIES_MAX = 64;
/** No disk has larger sectors. */
const BLOCK_BYTES_MAX = 64 * KiB;

/** What comes before TLS is read by a `SocketReader`: it lets go of the socket. */
export async function openExport(address: NbdAddress, socket: Socket, first: ByteReader): Promise<NbdExport> {
  let reader = first;
  let stream: Socket = socket;
  await greet(reader, stream);
  if (address.tlsCertificate !== undefined) {
    stream = await startTls(reader, socket, address.tlsCertificate);
    reader = new SocketReader(stream);
  }
  const session = { reader, stream };
  const isStructured = (await ask(session, option.structuredReply, NO_DATA)) !== null;
  const allocationContext = isStructured ? await negotiateAllocation(session, address.exportName) : null;
  const opened = await go(session, address.exportName);
  return { socket: stream, reader, ...opened, allocationContext };
}

interface Session {
  readonly reader: ByteReader;
  readonly stream: Socket;
}

interface OptionReply {
  readonly type: number;
  readonly data: Buffer;
}

async function greet(reader: ByteReader, stream: Socket): Promise<void> {
  const first = await reader.exactly(FIRST_MESSAGE_BYTES);
  if (first.readBigUInt64BE(0) !== NBD_MAGIC || first.readBigUInt64BE(8) !== OPTION_MAGIC) {
    throw new Error('the server does not speak NBD');
  }
  const offered = first.readUInt16BE(16);
  if ((offered & FLAG_FIXED_NEWSTYLE) === 0) throw new Error('the server does not speak fixed newstyle NBD');
  const flags = Buffer.alloc(4);
  flags.writeUInt32BE(FLAG_FIXED_NEWSTYLE | (offered & FLAG_NO_ZEROES));
  stream.write(flags);
}

async function startTls(reader: ByteReader, socket: Socket, pinnedPem: string): Promise<tls.TLSSocket> {
  if ((await ask({ reader, stream: socket }, option.starttls, NO_DATA)) === null) {
    throw new Error('the server does not offer TLS');
  }
  if (reader instanceof SocketReader) reader.detach();
  const pinned = new X509Certificate(pinnedPem).fingerprint256;
  // The one pinned certificate is the trust: its fingerprint is compared before anything is sent.
  const secured = tls.connect({ socket, rejectUnauthorized: false, minVersion: 'TLSv1.2' });
  await new Promise<void>((resolve, reject) => {
    secured.once('secureConnect', resolve);
    secured.once('error', reject);
    secured.once('close', () => reject(new Error('the connection was lost during the TLS handshake')));
  });
  const shown = secured.getPeerX509Certificate()?.fingerprint256;
  if (shown !== pinned) {
    secured.destroy();
    throw new Error(`the server shows certificate ${shown ?? 'none'}, pinned is ${pinned}`);
  }
  return secured;
}

async function negotiateAllocation(session: Session, exportName: string): Promise<number | null> {
  const one = Buffer.from([0, 0, 0, 1]);
  const data = Buffer.concat([sized(exportName), one, sized(ALLOCATION_CONTEXT)]);
  const replies = (await ask(session, option.setMetaContext, data)) ?? [];
  const context = replies.find(
    (reply) =>
      reply.type === optionReply.metaContext && reply.data.toString('utf8', 4) === ALLOCATION_CONTEXT,
  );
  return context?.data.readUInt32BE(0) ?? null;
}

async function go(
  session: Session,
  exportName: string,
): Promise<Pick<NbdExport, 'bytes' | 'flags' | keyof NbdBlocks>> {
  const wanted = Buffer.from([0, 1, 0, info.blockSize]);
  const replies = await ask(session, option.go, Buffer.concat([sized(exportName), wanted]));
  if (replies === null) throw new Error(`the server offers no export "${exportName}"`);
  const infos = replies.filter((reply) => reply.type === optionReply.info && reply.data.length >= 2);
  const exportInfo = infos.find((reply) => reply.data.readUInt16BE(0) === info.export);
  if (exportInfo === undefined || exportInfo.data.length < 12) throw new Error('the server tells no size');
  const bytes = Number(exportInfo.data.readBigUInt64BE(2));
  if (!Number.isSafeInteger(bytes)) throw new Error('the server tells an impossible size');
  const sizes = infos.find(({ data }) => data.length >= 14 && data.readUInt16BE(0) === info.blockSize);
  return { bytes, flags: exportInfo.data.readUInt16BE(10), ...blocksOf(sizes?.data ?? null, bytes) };
}

/** A server that says nothing takes any offset, and as much at once as every server does. */
function blocksOf(told: Buffer | null, bytes: number): NbdBlocks {
  const blockBytesMin = Math.max(told?.readUInt32BE(2) ?? 1, 1);
  const toldBytesMax = told?.readUInt32BE(10) ?? PAYLOAD_BYTES_MAX;
  const payloadBytesMax = Math.min(toldBytesMax, PAYLOAD_BYTES_MAX);
  const isBlock = Number.isInteger(Math.log2(blockBytesMin)) && blockBytesMin <= BLOCK_BYTES_MAX;
  if (!isBlock || bytes % blockBytesMin !== 0 || payloadBytesMax < Math.max(blockBytesMin, SECTOR_BYTES)) {
    throw new Error(
      `the server wants requests of ${blockBytesMin} to ${toldBytesMax} bytes for ${bytes} bytes`,
    );
  }
  return { blockBytesMin, payloadBytesMax: payloadBytesMax - (payloadBytesMax % blockBytesMin) };
}

/** Replies up to the acknowledgement; null when the server refuses the option. */
async function ask(session: Session, code: number, data: Buffer): Promise<OptionReply[] | null> {
  session.stream.write(encodeOption(code, data));
  const replies: OptionReply[] = [];
  while (replies.length <= OPTION_REPLIES_MAX) {
    const reply = await readOptionReply(session.reader, code);
    if (reply.type === optionReply.ack) return replies;
    if (reply.type >= OPTION_ERROR_BASE) return null;
    replies.push(reply);
  }
  throw new Error('the server broke the NBD handshake: replies without end');
}

async function readOptionReply(reader: ByteReader, code: number): Promise<OptionReply> {
  const head = await reader.exactly(OPTION_REPLY_BYTES);
  const length = head.readUInt32BE(16);
  const isReply = head.readBigUInt64BE(0) === OPTION_REPLY_MAGIC && head.readUInt32BE(8) === code;
  if (!isReply || length > OPTION_REPLY_DATA_MAX) throw new Error('the server broke the NBD handshake');
  return { type: head.readUInt32BE(12), data: await reader.exactly(length) };
}
