/** A wire to the storage account that breaks at any byte: TCP, so that nothing in it is whole by accident. */
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';

/**
 * `cut`: what is under way breaks, the next connection works. `lost`: the server hears everything and its answer never
 * arrives. `dead`: nobody gets through any more. `held`: nothing moves until `release`.
 */
export type FaultKind = 'cut' | 'lost' | 'dead' | 'held';

export interface WireFault {
  /** Counted from the last fault on, towards the server. */
  readonly afterBytes: number;
  readonly kind: FaultKind;
}

export class Wire {
  /** Faults that have come true. */
  readonly struck: FaultKind[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #faults: WireFault[];
  readonly #held = Promise.withResolvers<void>();
  readonly #reached = Promise.withResolvers<void>();
  #sentBytes = 0;
  #dead = false;
  #isHeld = false;

  private constructor(port: number, faults: readonly WireFault[]) {
    this.#faults = [...faults];
    this.#server = net.createServer((client) => this.#connect(client, port));
  }

  static async to(port: number, faults: readonly WireFault[]): Promise<Wire> {
    const wire = new Wire(port, faults);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves once the wire holds. */
  get holds(): Promise<void> {
    return this.#reached.promise;
  }

  release(): void {
    this.#isHeld = false;
    this.#held.resolve();
  }

  async close(): Promise<void> {
    this.release();
    this.#kill();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #connect(client: net.Socket, port: number): void {
    const server = net.connect({ host: '127.0.0.1', port });
    const ends = [client, server];
    const breakUp = () => ends.forEach((end) => end.destroy());
    for (const end of ends) {
      this.#sockets.add(end);
      end.on('error', breakUp);
      end.on('close', () => {
        this.#sockets.delete(end);
        breakUp();
      });
    }
    if (this.#dead) {
      breakUp();
      return;
    }
    let answersAreLost = false;
    let order = Promise.resolve();
    client.on('data', (bytes: Buffer) => {
      order = order.then(async () => {
        if (this.#isHeld) await this.#held.promise;
        const { passed, fault } = this.#measure(bytes);
        if (!server.destroyed) server.write(passed);
        if (fault === 'held') {
          this.#isHeld = true;
          this.#reached.resolve();
          await this.#held.promise;
          server.write(bytes.subarray(passed.length));
        }
        // What was passed on has to arrive before the connection ends.
        if (fault === 'cut') server.end(() => breakUp());
        if (fault === 'dead') server.end(() => this.#kill());
        answersAreLost ||= fault === 'lost';
      });
    });
    server.on('data', (bytes: Buffer) => {
      if (answersAreLost) breakUp();
      else client.write(bytes);
    });
  }

  #measure(bytes: Buffer): { readonly passed: Buffer; readonly fault: FaultKind | null } {
    const [next] = this.#faults;
    this.#sentBytes += bytes.length;
    if (next === undefined || this.#sentBytes <= next.afterBytes) return { passed: bytes, fault: null };
    this.#faults.shift();
    this.struck.push(next.kind);
    const passedBytes = bytes.length - (this.#sentBytes - next.afterBytes);
    this.#sentBytes = 0;
    const isWhole = next.kind === 'lost';
    if (next.kind === 'dead') this.#dead = true;
    return { passed: isWhole ? bytes : bytes.subarray(0, Math.max(passedBytes, 0)), fault: next.kind };
  }

  #kill(): void {
    this.#dead = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}
