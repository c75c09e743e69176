/** Reads a plain connection straight into the memory where its bytes belong: nothing is copied, nothing is left behind to collect. */
import type { OnReadOpts, Socket } from 'node:net';
import { KiB } from '../../domain/units.ts';
import type { ByteReader } from './socket-reader.ts';

/** What is small comes through memory of our own, several answers at a time. */
const SCRATCH_BYTES = 32 * KiB;

interface Want {
  readonly length: number;
  readonly target: () => Uint8Array | null;
  readonly settle: PromiseWithResolvers<void>;
  done: number;
}

/** Reads no more ahead than the scratch holds, so that back-pressure works. One reader at a time. */
export class DirectReader implements ByteReader {
  readonly socket: Socket;
  readonly isDirect = true;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #left = this.#scratch.subarray(0, 0);
  #want: Want | null = null;
  #ended: Error | null = null;

  constructor(connect: (onread: OnReadOpts) => Socket) {
    this.socket = connect({
      buffer: () => this.#place(),
      callback: (bytesRead, buffer) => this.#take(bytesRead, buffer),
    });
    this.socket.once('end', () => this.#end(new Error('the server closed the connection')));
    this.socket.on('error', (error) => this.#end(error));
    this.socket.once('close', () => this.#end(new Error('the connection was lost')));
  }

  async exactly(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    await this.fill(length, () => bytes);
    return bytes;
  }

  async fill(length: number, target: () => Uint8Array | null): Promise<void> {
    const want: Want = { length, target, settle: Promise.withResolvers<void>(), done: 0 };
    this.#drain(want);
    if (want.done === length) return;
    if (this.#ended !== null) throw this.#ended;
    this.#want = want;
    this.socket.resume();
    await want.settle.promise;
  }

  /** Where the socket shall put what it reads next. */
  #place(): Uint8Array {
    const want = this.#want;
    if (want === null || want.length - want.done < SCRATCH_BYTES) return this.#scratch;
    return want.target()?.subarray(want.done) ?? this.#scratch;
  }

  /** False: nobody wants more yet. */
  #take(bytesRead: number, buffer: Uint8Array): boolean {
    const want = this.#want;
    if (buffer === this.#scratch) {
      this.#left = this.#scratch.subarray(0, bytesRead);
      if (want !== null) this.#drain(want);
    } else if (want !== null) {
      want.done += bytesRead;
    }
    if (want === null || want.done < want.length) return want !== null;
    this.#want = null;
    want.settle.resolve();
    return false;
  }

  #drain(want: Want): void {
    const part = this.#left.subarray(0, want.length - want.done);
    if (part.length === 0) return;
    want.target()?.set(part, want.done);
    want.done += part.length;
    this.#left = this.#left.subarray(part.length);
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#want?.settle.reject(this.#ended);
    this.#want = null;
  }
}
