/** An NBD connection with several requests in flight. */
import { once } from 'node:events';
import net from 'node:net';
import type { Extent } from '../../domain/replication.ts';
import { DirectReader } from './direct-reader.ts';
import { openExport } from './nbd-handshake.ts';
import type { NbdAddress, NbdExport } from './nbd-handshake.ts';
import {
  FLAG_FAST_ZERO,
  PAYLOAD_BYTES_MAX,
  STATUS_ZERO,
  command,
  encodeRequest,
  exportFlag,
} from './nbd-protocol.ts';
import type { Command } from './nbd-protocol.ts';
import { readReplies } from './nbd-replies.ts';
import type { PendingRequest } from './nbd-replies.ts';
import { SocketReader } from './socket-reader.ts';
import type { ByteReader } from './socket-reader.ts';

export type { NbdAddress } from './nbd-handshake.ts';

interface BlockStatus extends Extent {
  readonly readsAsZero: boolean;
}

const OPEN_TIMEOUT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 60_000;
/** A server that does not take the farewell is left. */
const CLOSE_GRACE_MS = 1_000;
const REQUESTS_IN_FLIGHT_MAX = 64;
const changing: ReadonlySet<Command> = new Set([command.write, command.writeZeroes, command.trim]);

/**
 * Requests answer in any order. A lost connection, or a minute without a sign of life while a request waits, fails
 * everything that waits; the client does not reconnect. A request that changes the disk and is aborted ends the
 * connection, so that nothing of it is sent any more; what the server has taken may still reach the disk. Errors are plain `Error`s that say what went wrong.
 */
export class NbdClient {
  readonly bytes: number;
  readonly tellsBlockStatus: boolean;
  readonly isReadOnly: boolean;
  readonly canFlush: boolean;
  readonly canWriteZeroes: boolean;
  /** It tells zeros that take long from zeros that do not. */
  readonly canZeroFast: boolean;
  readonly blockBytesMin: number;
  readonly payloadBytesMax: number;
  readonly #export: NbdExport;
  readonly #pending = new Map<bigint, PendingRequest>();
  #nextHandle = 1n;
  #failure: Error | null = null;

  private constructor(opened: NbdExport, answerTimeoutMs: number) {
    this.#export = opened;
    this.bytes = opened.bytes;
    this.tellsBlockStatus = opened.allocationContext !== null;
    this.isReadOnly = (opened.flags & exportFlag.readOnly) !== 0;
    this.canFlush = (opened.flags & exportFlag.flush) !== 0;
    this.canWriteZeroes = (opened.flags & exportFlag.writeZeroes) !== 0;
    this.canZeroFast = this.canWriteZeroes && (opened.flags & exportFlag.fastZero) !== 0;
    this.blockBytesMin = opened.blockBytesMin;
    this.payloadBytesMax = opened.payloadBytesMax;
    opened.socket.setTimeout(answerTimeoutMs, () => {
      if (this.#pending.size > 0) this.#fail(new Error(`no answer for ${answerTimeoutMs / 1000} s`));
    });
    readReplies(opened.reader, opened.allocationContext, this.#pending).catch((error: unknown) =>
      this.#fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  static async open(
    address: NbdAddress,
    signal: AbortSignal,
    answerTimeoutMs = ANSWER_TIMEOUT_MS,
  ): Promise<NbdClient> {
    const opening = AbortSignal.any([signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)]);
    opening.throwIfAborted();
    const { connection, reader } = connect(address);
    const abort = () => connection.destroy(opening.reason as Error);
    opening.addEventListener('abort', abort, { once: true });
    try {
      await once(connection, 'connect');
      return new NbdClient(await openExport(address, connection, reader), answerTimeoutMs);
    } catch (error) {
      connection.destroy();
      throw opening.aborted ? opening.reason : error;
    } finally {
      opening.removeEventListener('abort', abort);
    }
  }

  /** Fills `into`. After an abort nothing is written to it any more. */
  async read(offset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#request({ command: command.read, offset, length: into.length, into }, signal);
  }

  async write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#request({ command: command.write, offset, length: data.length, data }, signal);
  }

  /** The server may punch a hole. @throws NbdRefusal ENOTSUP, with `isFast` also when it would have to write */
  async writeZeroes(
    offset: number,
    length: number,
    { signal, isFast = false }: { readonly signal?: AbortSignal; readonly isFast?: boolean } = {},
  ): Promise<void> {
    const flags = isFast ? FLAG_FAST_ZERO : 0;
    await this.#request({ command: command.writeZeroes, offset, length, flags }, signal);
  }

  async trim(offset: number, length: number, signal?: AbortSignal): Promise<void> {
    await this.#request({ command: command.trim, offset, length }, signal);
  }

  async flush(signal?: AbortSignal): Promise<void> {
    await this.#request({ command: command.flush, offset: 0, length: 0 }, signal);
  }

  /** From the start of the range; a server may answer for less than was asked, but for one extent at least. */
  async blockStatus(range: Extent, signal?: AbortSignal): Promise<BlockStatus[]> {
    const { status } = await this.#request({ command: command.blockStatus, ...range }, signal);
    let { offset } = range;
    return status.map(({ length, flags }) => {
      const extent = { offset, length, readsAsZero: (flags & STATUS_ZERO) !== 0 };
      offset += length;
      return extent;
    });
  }

  async close(): Promise<void> {
    const { socket } = this.#export;
    if (socket.destroyed) return;
    this.#fail(new Error('the connection was closed here'), { hangUp: false });
    const closed = once(socket, 'close');
    setTimeout(() => socket.destroy(), CLOSE_GRACE_MS).unref();
    socket.end(encodeRequest({ command: command.disconnect, handle: 0n, offset: 0, length: 0 }), () =>
      socket.destroy(),
    );
    await closed;
  }

  #request(
    request: {
      readonly command: Command;
      readonly offset: number;
      readonly length: number;
      readonly flags?: number;
      readonly into?: Uint8Array;
      readonly data?: Uint8Array;
    },
    signal?: AbortSignal,
  ): Promise<PendingRequest> {
    signal?.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
    const payload = request.into ?? request.data;
    if ((payload?.length ?? 0) > PAYLOAD_BYTES_MAX || this.#pending.size >= REQUESTS_IN_FLIGHT_MAX) {
      throw new RangeError('a request over 32 MiB, or too many requests at once');
    }
    const handle = this.#nextHandle;
    this.#nextHandle += 1n;
    const { promise, resolve, reject } = Promise.withResolvers<PendingRequest>();
    const pending: PendingRequest = {
      command: request.command,
      offset: request.offset,
      length: request.length,
      into: request.into ?? null,
      isReceiving: false,
      filled: [],
      missingBytes: request.length,
      status: [],
      error: null,
      settle: (error) => (error === null ? resolve(pending) : reject(error)),
    };
    this.#pending.set(handle, pending);
    this.#send(encodeRequest({ ...request, handle }), request.data);
    return signal === undefined ? promise : this.#abandonOnAbort(promise, pending, signal);
  }

  /** Requests of one turn go out together. */
  #send(head: Buffer, data: Uint8Array | undefined): void {
    const { socket } = this.#export;
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(head);
    if (data !== undefined) socket.write(data);
  }

  #fail(error: Error, { hangUp } = { hangUp: true }): void {
    this.#failure ??= error;
    for (const pending of this.#pending.values()) pending.settle(this.#failure);
    this.#pending.clear();
    if (hangUp) this.#export.socket.destroy();
  }

  /** Of a read the answer will still arrive: the request stays known, but its memory is given back. If it arrives just now, only the end of the connection does that. */
  async #abandonOnAbort(
    promise: Promise<PendingRequest>,
    pending: PendingRequest,
    signal: AbortSignal,
  ): Promise<PendingRequest> {
    const onAbort = () => {
      const reason = signal.reason as Error;
      pending.into = null;
      if (changing.has(pending.command) || pending.isReceiving) this.#fail(reason);
      else pending.settle(reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}

/** TLS takes the socket over after the first words. */
function connect(address: NbdAddress): { readonly connection: net.Socket; readonly reader: ByteReader } {
  const { socketPath, host, port } = address;
  const to = socketPath === undefined ? { host, port, noDelay: true } : { path: socketPath };
  if (address.tlsCertificate === undefined) {
    const reader = new DirectReader((onread) => net.connect({ ...to, onread }));
    return { connection: reader.socket, reader };
  }
  const connection = net.connect(to);
  return { connection, reader: new SocketReader(connection) };
}
