/** A small NBD server on a file: the wire peer of the client's tests. Speaks the protocol on its own, without product code. */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';

export interface NbdServerOptions {
  readonly file: string;
  readonly exportName: string;
  readonly socketPath?: string;
  /** Default true; without them there is no block status either. */
  readonly structured?: boolean;
  /** Transmission flags; default: present, flush, trim, write zeroes. */
  readonly flags?: number;
  /** Told, and insisted on: what does not fit is answered with EINVAL. */
  readonly blocks?: { readonly min: number; readonly max: number };
  readonly tls?: { readonly key: string; readonly cert: string };
  /**
   * Called before each request is answered; 'drop' cuts the connection, 'ignore' never answers, 'gap' leaves out one
   * chunk of a structured read, 'overlap' sends one twice in its place, a number answers with that error.
   */
  readonly disturb?: (type: number, offset: number, flags: number) => Fault | number | undefined;
}

type Fault = 'drop' | 'ignore' | 'gap' | 'overlap';

export interface NbdServer {
  readonly port: number;
  /** The longest queue of requests that waited at once. */
  readonly inFlightMax: () => number;
  stop(): Promise<void>;
}

const REPLY = 0x0003e889045565a9n;
const ACK = 1;
const UNSUPPORTED = 2 ** 31 + 1;
const UNKNOWN = 2 ** 31 + 6;
const DEFAULT_FLAGS = 1 | (1 << 2) | (1 << 5) | (1 << 6);
/** Block status is told in grains of this size. */
const GRAIN = 4096;

export async function startNbdServer(options: NbdServerOptions): Promise<NbdServer> {
  const file = await open(options.file, 'r+');
  const { size } = await file.stat();
  const sockets = new Set<net.Socket>();
  const state = { inFlightMax: 0 };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    serve(socket, options, { file, size, state }).catch(() => socket.destroy());
  });
  if (options.socketPath === undefined) server.listen(0, '127.0.0.1');
  else server.listen(options.socketPath);
  await once(server, 'listening');
  return {
    port: options.socketPath === undefined ? (server.address() as AddressInfo).port : 0,
    inFlightMax: () => state.inFlightMax,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      await file.close();
    },
  };
}

interface Disk {
  readonly file: FileHandle;
  readonly size: number;
  readonly state: { inFlightMax: number };
}

/** Exact reads from a socket, by gathering chunks. */
function reader(socket: net.Socket) {
  const chunks = socket[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return async (length: number): Promise<Buffer> => {
    const parts = [rest];
    for (let have = rest.length; have < length;) {
      const next = await chunks.next();
      if (next.done === true) throw new Error('closed');
      parts.push(next.value as Buffer);
      have += (next.value as Buffer).length;
    }
    rest = Buffer.concat(parts);
    const taken = rest.subarray(0, length);
    rest = rest.subarray(length);
    return taken;
  };
}

async function serve(plain: net.Socket, options: NbdServerOptions, disk: Disk): Promise<void> {
  const hello = Buffer.alloc(18);
  hello.write('NBDMAGICIHAVEOPT', 0, 'latin1');
  hello.writeUInt16BE(3, 16);
  plain.write(hello);
  if (options.tls === undefined) {
    const read = reader(plain);
    await read(4);
    await negotiate(plain, read, options, disk);
    return;
  }
  const socket = await upgrade(plain, options.tls);
  await negotiate(socket, reader(socket), options, disk);
}

/** The client's flags and its STARTTLS option come first; what follows is TLS. */
async function upgrade(plain: net.Socket, keys: { readonly key: string; readonly cert: string }) {
  const first = await new Promise<Buffer>((resolve) => {
    let gathered = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      gathered = Buffer.concat([gathered, chunk]);
      if (gathered.length < 20) return;
      plain.off('data', take);
      plain.pause();
      resolve(gathered);
    };
    plain.on('data', take);
  });
  if (first.readUInt32BE(12) !== 5) throw new Error('TLS is required');
  const secured = new tls.TLSSocket(plain, { isServer: true, ...keys });
  plain.write(optionReply(5, ACK, Buffer.alloc(0)));
  secured.on('error', () => undefined);
  await once(secured, 'secure');
  return secured;
}

function optionReply(option: number, type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(REPLY, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

async function negotiate(
  socket: net.Socket,
  read: (length: number) => Promise<Buffer>,
  options: NbdServerOptions,
  disk: Disk,
): Promise<void> {
  const structured = options.structured ?? true;
  for (;;) {
    const head = await read(16);
    const option = head.readUInt32BE(8);
    const data = await read(head.readUInt32BE(12));
    const reply = (type: number, body = Buffer.alloc(0)) => socket.write(optionReply(option, type, body));
    if (option === 8 && structured) reply(ACK);
    else if (option === 10 && structured) {
      reply(4, Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('base:allocation')]));
      reply(ACK);
    } else if (option === 7) {
      const name = data.toString('utf8', 4, 4 + data.readUInt32BE(0));
      if (name !== options.exportName) {
        reply(UNKNOWN);
        continue;
      }
      const info = Buffer.alloc(12);
      info.writeBigUInt64BE(BigInt(disk.size), 2);
      info.writeUInt16BE(options.flags ?? DEFAULT_FLAGS, 10);
      reply(3, info);
      if (options.blocks !== undefined) reply(3, blockSizeInfo(options.blocks));
      reply(ACK);
      await transmit(socket, read, options, disk);
      return;
    } else reply(UNSUPPORTED);
  }
}

function blockSizeInfo({ min, max }: { readonly min: number; readonly max: number }) {
  const info = Buffer.alloc(14);
  info.writeUInt16BE(3, 0);
  for (const [index, size] of [min, Math.max(min, 4096), max].entries())
    info.writeUInt32BE(size, 2 + 4 * index);
  return info;
}

interface Request {
  readonly flags: number;
  readonly type: number;
  readonly handle: Buffer;
  readonly offset: number;
  readonly length: number;
  readonly data: Buffer;
}

/** Answers in pairs, the later request first, so that a client that counts on order fails. */
async function transmit(
  socket: net.Socket,
  read: (length: number) => Promise<Buffer>,
  options: NbdServerOptions,
  disk: Disk,
): Promise<void> {
  const waiting: Request[] = [];
  let answering = Promise.resolve();
  for (;;) {
    const head = await read(28);
    const type = head.readUInt16BE(6);
    const length = head.readUInt32BE(24);
    const request = {
      flags: head.readUInt16BE(4),
      type,
      handle: Buffer.from(head.subarray(8, 16)),
      offset: Number(head.readBigUInt64BE(16)),
      length,
      data: type === 1 ? Buffer.from(await read(length)) : Buffer.alloc(0),
    };
    if (type === 2) {
      socket.end();
      return;
    }
    waiting.push(request);
    disk.state.inFlightMax = Math.max(disk.state.inFlightMax, waiting.length);
    answering = answering.then(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      for (const next of waiting.splice(-2).toReversed()) await answer(socket, next, options, disk);
    });
    answering.catch(() => socket.destroy());
  }
}

async function answer(socket: net.Socket, request: Request, options: NbdServerOptions, disk: Disk) {
  const fault = options.disturb?.(request.type, request.offset, request.flags) ?? misfit(request, options);
  if (fault === 'drop') socket.destroy();
  if (fault === 'drop' || fault === 'ignore') return;
  const structured = options.structured ?? true;
  const chunk = (type: number, payload: Buffer, done = true) => {
    const head = Buffer.alloc(20);
    head.writeUInt32BE(0x668e33ef, 0);
    head.writeUInt16BE(done ? 1 : 0, 4);
    head.writeUInt16BE(type, 6);
    request.handle.copy(head, 8);
    head.writeUInt32BE(payload.length, 16);
    socket.write(Buffer.concat([head, payload]));
  };
  const simple = (error: number, payload = Buffer.alloc(0)) => {
    const head = Buffer.alloc(16);
    head.writeUInt32BE(0x67446698, 0);
    head.writeUInt32BE(error, 4);
    request.handle.copy(head, 8);
    socket.write(Buffer.concat([head, payload]));
  };
  if (typeof fault === 'number') {
    const payload = Buffer.alloc(6);
    payload.writeUInt32BE(fault, 0);
    if (structured) chunk(2 ** 15 + 1, payload);
    else simple(fault);
    return;
  }
  if (request.type === 0) {
    const data = Buffer.alloc(request.length);
    await disk.file.read(data, 0, request.length, request.offset);
    if (structured) sendRead(data, request.offset, chunk, fault);
    else simple(0, data);
    return;
  }
  if (request.type === 7) {
    chunk(5, await blockStatus(disk.file, request));
    return;
  }
  if (request.type === 1) await disk.file.write(request.data, 0, request.length, request.offset);
  if (request.type === 4 || request.type === 6) {
    await disk.file.write(Buffer.alloc(request.length), 0, request.length, request.offset);
  }
  simple(0);
}

const EINVAL = 22;

function misfit({ type, offset, length }: Request, { blocks }: NbdServerOptions): number | undefined {
  if (blocks === undefined || type === 3) return undefined;
  const isWhole = offset % blocks.min === 0 && length % blocks.min === 0;
  const isShort = length <= blocks.max || type > 1;
  return isWhole && isShort ? undefined : EINVAL;
}

/** The second half goes first; a half of zeros goes as a hole. */
function sendRead(
  data: Buffer,
  offset: number,
  chunk: (type: number, payload: Buffer, done?: boolean) => void,
  fault: Fault | undefined,
): void {
  const middle = Math.floor(data.length / 1024) * 512;
  const halves = [
    { at: middle, part: data.subarray(middle) },
    { at: 0, part: data.subarray(0, middle) },
  ].filter(({ part }) => part.length > 0);
  const first = halves.slice(0, 1);
  const parts = fault === 'gap' ? first : fault === 'overlap' ? [...first, ...first] : halves;
  for (const [index, { at, part }] of parts.entries()) {
    const isHole = isZero(part);
    const head = Buffer.alloc(isHole ? 12 : 8);
    head.writeBigUInt64BE(BigInt(offset + at), 0);
    if (isHole) head.writeUInt32BE(part.length, 8);
    chunk(isHole ? 2 : 1, isHole ? head : Buffer.concat([head, part]), index === parts.length - 1);
  }
}

const ZEROS = Buffer.alloc(1024 * 1024);

function isZero(data: Buffer): boolean {
  return data.equals(ZEROS.subarray(0, data.length));
}

/** Answers for at most 256 grains, so that a client has to ask again. */
async function blockStatus(file: FileHandle, request: Request): Promise<Buffer> {
  const extents: { length: number; flags: number }[] = [];
  const end = Math.min(request.offset + request.length, request.offset + 256 * GRAIN);
  const whole = Buffer.alloc(end - request.offset);
  await file.read(whole, 0, whole.length, request.offset);
  for (let at = 0; at < whole.length; at += GRAIN) {
    const data = whole.subarray(at, at + GRAIN);
    const { length } = data;
    const flags = isZero(data) ? 3 : 0;
    const last = extents.at(-1);
    if (last?.flags === flags) last.length += length;
    else extents.push({ length, flags });
  }
  const payload = Buffer.alloc(4 + extents.length * 8);
  payload.writeUInt32BE(7, 0);
  for (const [index, { length, flags }] of extents.entries()) {
    payload.writeUInt32BE(length, 4 + index * 8);
    payload.writeUInt32BE(flags, 8 + index * 8);
  }
  return payload;
}
