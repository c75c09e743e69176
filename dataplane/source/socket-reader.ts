import type { Duplex } from 'node:stream';

/** Takes exact amounts off a connection. */
export interface ByteReader {
  /** True: what `fill` is given is written to by the system itself until it resolves, or the connection is destroyed. */
  readonly isDirect: boolean;
  exactly(length: number): Promise<Buffer>;
  /** Puts `length` bytes where `target` says, which is asked again for every part; null drops them. */
  fill(length: number, target: () => Uint8Array | null): Promise<void>;
}

/** Reads any stream, TLS above all; nothing is read ahead of what is asked, so that back-pressure works. One reader at a time. */
export class SocketReader implements ByteReader {
  readonly isDirect = false;
  readonly #socket: Duplex;
  #wake: () => void = () => undefined;
  #ended: Error | null = null;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('readable', () => this.#wake());
    socket.once('end', () => this.#end(new Error('the server closed the connection')));
    socket.on('error', (error) => this.#end(error));
    socket.once('close', () => this.#end(new Error('the connection was lost')));
  }

  async exactly(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    await this.fill(length, () => bytes);
    return bytes;
  }

  async fill(length: number, target: () => Uint8Array | null): Promise<void> {
    for (let at = 0; at < length;) {
      const part = this.#take(length - at);
      if (part === null) {
        await this.#readable();
        continue;
      }
      target()?.set(part, at);
      at += part.length;
    }
  }

  /** Stops listening, so that the socket can be handed to TLS. */
  detach(): void {
    this.#socket.removeAllListeners('readable');
    this.#socket.pause();
  }

  #take(lengthMax: number): Buffer | null {
    const available = this.#socket.readableLength;
    if (available === 0) return null;
    return this.#socket.read(Math.min(available, lengthMax)) as Buffer | null;
  }

  async #readable(): Promise<void> {
    if (this.#socket.readableLength > 0) return;
    if (this.#ended !== null) throw this.#ended;
    // An empty read tells the stream to fetch more.
    this.#socket.read(0);
    if (this.#socket.readableLength > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    this.#wake();
  }
}
