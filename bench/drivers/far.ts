/** A long line in front of a server: every byte arrives later, in both directions, in order and at any rate. */
import net from 'node:net';
import { serve } from './serve.ts';

export interface FarCalls {
  /** Listens on the address and port, and passes on to the port on the loopback address. */
  open(line: FarLine): Promise<void>;
}

export interface FarLine {
  readonly address: string;
  readonly port: number;
  readonly toPort: number;
  readonly oneWayMs: number;
}

/** On their way in one direction of one connection: more than a line of 1 Gbit/s holds in 50 ms. */
const UNDER_WAY_BYTES_MAX = 8 * 1024 * 1024;

const calls: FarCalls = {
  async open({ address, port, toPort, oneWayMs }) {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = net.connect({ host: '127.0.0.1', port: toPort, allowHalfOpen: true, noDelay: true });
      passLate(near, far, oneWayMs);
      passLate(far, near, oneWayMs);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
  },
};

/** Null stands for the end. */
interface UnderWay {
  readonly arrivesAt: number;
  readonly chunk: Buffer | null;
}

function passLate(from: net.Socket, to: net.Socket, oneWayMs: number): void {
  const queue: UnderWay[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | null = null;
  const deliver = () => {
    timer = null;
    const now = performance.now();
    for (let next = queue[0]; next !== undefined && next.arrivesAt <= now; next = queue[0]) {
      queue.shift();
      if (next.chunk === null) to.end();
      else {
        bytes -= next.chunk.length;
        to.write(next.chunk);
      }
    }
    if (bytes < UNDER_WAY_BYTES_MAX) from.resume();
    schedule();
  };
  const schedule = () => {
    const [next] = queue;
    if (timer === null && next !== undefined) {
      timer = setTimeout(deliver, Math.max(0, next.arrivesAt - performance.now()));
    }
  };
  const send = (chunk: Buffer | null) => {
    queue.push({ arrivesAt: performance.now() + oneWayMs, chunk });
    bytes += chunk?.length ?? 0;
    if (bytes >= UNDER_WAY_BYTES_MAX) from.pause();
    schedule();
  };
  from.on('data', send);
  from.on('end', () => send(null));
  for (const socket of [from, to]) {
    socket.on('error', () => {
      from.destroy();
      to.destroy();
    });
  }
}

await serve({ ...calls });
