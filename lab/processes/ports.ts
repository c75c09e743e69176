/** Free TCP ports of the loopback interface that stay free until they are used. */
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/**
 * Below the range from which systems hand out ports by themselves (Linux from 32768, others from 49152), so that
 * no connection and no listener on port 0 takes one between its choice and its use, or while its program restarts.
 */
const RANGE = { from: 15_000, below: 32_000 } as const;
const TRIES_MAX = 1_000;

/** `count` different ports that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  for (let tries = 0; held.size < count; tries += 1) {
    if (tries === TRIES_MAX) throw new Error(`no ${count} free ports from ${RANGE.from} to ${RANGE.below}`);
    const port = randomInt(RANGE.from, RANGE.below);
    const server = held.has(port) ? undefined : await hold(port);
    if (server !== undefined) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => new Promise((done) => server.close(done))));
  return [...held.keys()];
}

function hold(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
