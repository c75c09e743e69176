/** The NBD client against a hostile server: what the server will say is written down before the client has connected. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectNbd, nbdSource } from '../../../dataplane/source/nbd-source.ts';
import { extentEnd } from '../../../domain/extents.ts';
import type { DiskSource } from '../../../domain/ports.ts';
import { KiB, MiB } from '../../../domain/units.ts';
import type { Random } from '../support/random.ts';
import { randomFrom } from '../support/random.ts';
import { mutate } from './mutate.ts';
import * as say from './nbd-messages.ts';
import type { Teller } from './nbd-messages.ts';
import { eventualRefusalOf } from './refusal.ts';
import { Finding } from './target.ts';
import type { FuzzTarget } from './target.ts';

const DISK_BYTES = 64 * KiB;
const HANG_MS = 300_000;
const CONTEXT = 7;
const FLAGS = 1 | 4 | 64;
const never = new AbortController().signal;

/** The requests the client will send, by handle: two reads and a question for block status. */
const READS = [
  { handle: 1, offset: 0, length: 4 * KiB },
  { handle: 2, offset: 8 * KiB, length: 2 * KiB },
] as const;
const STATUS_HANDLE = 3;
const REQUEST_BYTES = 28;
const REQUEST_MAGIC = 0x25609513;
const BLOCK_STATUS = 7;
const STATUS_RANGE = { offset: 0, length: 32 * KiB };

function handshake(tell: Teller, random: Random): Buffer {
  const reply = (option: number, type: number, data: Buffer = Buffer.alloc(0)) =>
    say.optionReply(tell, option, type, data);
  const isStructured = random.int(4) > 0;
  const parts = [say.greeting(tell), reply(8, isStructured ? 1 : 2 ** 31 + 1)];
  if (isStructured) parts.push(reply(10, 4, say.metaContext(tell, CONTEXT)), reply(10, 1));
  if (random.int(2) === 0) parts.push(reply(7, 3, say.blockSizeInfo(tell, 512)));
  parts.push(reply(7, 3, say.exportInfo(tell, DISK_BYTES, FLAGS)), reply(7, 1));
  return Buffer.concat(parts);
}

function replies(tell: Teller, random: Random): Buffer {
  const parts = READS.flatMap(({ handle, offset, length }) =>
    readReply(tell, random, handle, offset, length),
  );
  const extents = [8, 8, 16].map((count) => [count * KiB, random.int(2) * 3] as const);
  const payload = random.int(12) === 0 ? say.errorPayload(tell, 22) : say.status(tell, CONTEXT, extents);
  parts.push(say.chunk(tell, STATUS_HANDLE, payload.length === 10 ? 2 ** 15 + 1 : 5, payload, true));
  if (random.int(3) === 0) parts.reverse();
  return Buffer.concat(parts);
}

function readReply(tell: Teller, random: Random, handle: number, offset: number, length: number): Buffer[] {
  if (random.int(4) === 0) return [say.simpleReply(tell, handle, 0, 's'.repeat(length))];
  if (random.int(8) === 0) return [say.simpleReply(tell, handle, 5)];
  const half = length / 2;
  return [
    say.chunk(tell, handle, 1, say.offsetData(tell, offset, half), false),
    random.int(2) === 0
      ? say.chunk(tell, handle, 2, say.offsetHole(tell, offset + half, half), true)
      : say.chunk(tell, handle, 1, say.offsetData(tell, offset + half, half), true),
  ];
}

/** Option replies until the client has had enough. */
export function flood(): Buffer {
  const one = say.optionReply(say.honest, 8, 3, Buffer.alloc(64 * KiB));
  return Buffer.concat([say.greeting(say.honest), ...Array.from({ length: 400 }, () => one)]);
}

const honestReplies = Array.from({ length: 8 }, (_unused, index) =>
  replies(say.honest, randomFrom(500 + index)),
);
/** Structured replies, block status, no word about block sizes. */
export const honestHandshake = handshake(say.honest, {
  int: (below) => below - 1,
  bytes: () => Buffer.alloc(0),
});

interface Script {
  readonly handshake: Buffer;
  /** Said once the client has asked for everything. Null: nothing follows the handshake. */
  readonly replies: Buffer | null;
}

class HostileServer {
  readonly #folder: string;
  readonly #server: net.Server;
  readonly socketPath: string;
  #script: Script = { handshake: Buffer.alloc(0), replies: null };

  private constructor(folder: string) {
    this.#folder = folder;
    this.socketPath = path.join(folder, 'nbd.sock');
    this.#server = net.createServer((socket) => {
      const { handshake: first, replies: second } = this.#script;
      socket.on('error', () => undefined);
      socket.write(first);
      if (second === null) socket.resume().end();
      else afterLastRequest(socket, () => socket.end(second));
    });
  }

  static async start(): Promise<HostileServer> {
    const server = new HostileServer(await mkdtemp(path.join(tmpdir(), 'switchback-fuzz-')));
    server.#server.listen(server.socketPath);
    await once(server.#server, 'listening');
    return server;
  }

  says(script: Script): void {
    this.#script = script;
  }

  async stop(): Promise<void> {
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function afterLastRequest(socket: net.Socket, then: () => void): void {
  let heard: Buffer = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes]);
    const at = heard.length - REQUEST_BYTES;
    if (at < 0 || heard.readUInt32BE(at) !== REQUEST_MAGIC || heard.readUInt16BE(at + 6) !== BLOCK_STATUS)
      return;
    socket.removeAllListeners('data').resume();
    then();
  });
}

let serving: Promise<HostileServer> | null = null;

export async function runClient(script: Script): Promise<string> {
  serving ??= HostileServer.start();
  const server = await serving;
  server.says(script);
  const nbd = { host: '', port: 0, socketPath: server.socketPath, exportName: 'x' };
  const hung = Promise.withResolvers<string>();
  const clock = setTimeout(() => hung.reject(new Finding(`no end within ${HANG_MS} ms`)), HANG_MS);
  try {
    return await Promise.race([talk({ ...nbd, close: () => Promise.resolve() }), hung.promise]);
  } finally {
    clearTimeout(clock);
  }
}

async function talk(disk: Parameters<typeof connectNbd>[0]): Promise<string> {
  let source: DiskSource | null = null;
  const opening = await eventualRefusalOf(async () => {
    source = nbdSource(disk, await connectNbd(disk, never));
  });
  if (source === null) return opening;
  const opened: DiskSource = source;
  if (!Number.isSafeInteger(opened.capacityBytes)) throw new Finding('a capacity that is no whole number');
  const outcomes = await Promise.all([
    ...READS.map(({ offset, length }) =>
      eventualRefusalOf(() => opened.read(offset, Buffer.alloc(length), never)),
    ),
    eventualRefusalOf(async () => checkExtents(await opened.dataExtents(STATUS_RANGE, never))),
  ]);
  await opened.close();
  return outcomes.find((outcome) => outcome !== 'accepted') ?? 'accepted';
}

function checkExtents(extents: readonly { readonly offset: number; readonly length: number }[]): void {
  let end = STATUS_RANGE.offset;
  for (const extent of extents) {
    const isInside =
      extent.offset >= end && extent.length > 0 && extentEnd(extent) <= extentEnd(STATUS_RANGE);
    if (!isInside) throw new Finding('block status outside the range that was asked for');
    end = extentEnd(extent);
  }
}

export async function stopServer(): Promise<void> {
  const server = await serving;
  serving = null;
  await server?.stop();
}

const LIE_IN = 16;
const FLOOD_IN = 4_000;

export const nbdTargets: readonly FuzzTarget[] = [
  {
    name: 'nbd handshake',
    share: 6,
    bufferBytesMax: 8 * MiB,
    input(random) {
      if (random.int(FLOOD_IN) === 0) return flood();
      const told = handshake(say.liar(random, LIE_IN), random);
      return random.int(2) === 0 ? told : mutate(told, random, [honestHandshake]);
    },
    run: (bytes) => runClient({ handshake: bytes, replies: null }),
    stop: stopServer,
  },
  {
    name: 'nbd replies',
    share: 14,
    bufferBytesMax: 17 * MiB,
    input(random) {
      const told = replies(say.liar(random, LIE_IN), random);
      return random.int(2) === 0 ? told : mutate(told, random, honestReplies);
    },
    run: (bytes) => runClient({ handshake: honestHandshake, replies: bytes }),
    stop: stopServer,
  },
];
