/** Stands between everybody and the storage account, so that chosen requests take longer. Bytes pass unchanged. */
import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export interface StorageDelay {
  /** Absent: every method. */
  readonly method?: string;
  /** Matched against path and query, decoded. */
  readonly path: RegExp;
  readonly ms: number;
}

export interface SlowStorage {
  /** Where the account at this address is reached from now on. */
  inFrontOf(accountUrl: string): Promise<string>;
  /** Replaces all delays; the first that matches counts. */
  delay(delays: readonly StorageDelay[]): void;
  stop(): Promise<void>;
}

export function slowStorage(): SlowStorage {
  const agent = new Agent({ keepAlive: true });
  let delays: readonly StorageDelay[] = [];
  let account = new URL('http://127.0.0.1');
  const server = createServer((incoming, answer) => {
    pass(incoming, answer).catch(() => answer.destroy());
  });

  const pass = async (incoming: IncomingMessage, answer: ServerResponse) => {
    const { method = 'GET', url = '/' } = incoming;
    const delay = delays.find((each) => concerns(each, method, url));
    if (delay !== undefined) await pause(delay.ms);
    const { hostname, port } = account;
    const onward = request({ agent, hostname, port, method, path: url, headers: incoming.headers });
    // Who asks may be killed: then nobody waits for the answer any more.
    answer.once('close', () => onward.destroy());
    onward.once('error', () => answer.destroy());
    incoming.pipe(onward);
    const [answered] = (await once(onward, 'response')) as [IncomingMessage];
    answer.writeHead(answered.statusCode ?? 502, answered.headers);
    answered.pipe(answer);
  };

  return {
    async inFrontOf(accountUrl) {
      account = new URL(accountUrl);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      return `http://127.0.0.1:${port}${account.pathname}`;
    },
    delay(wanted) {
      delays = wanted;
    },
    async stop() {
      agent.destroy();
      server.closeAllConnections();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function concerns({ method, path }: StorageDelay, asked: string, url: string): boolean {
  return (method === undefined || method === asked) && path.test(decodeURIComponent(url));
}
