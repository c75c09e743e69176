import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { Application, ApplicationPages } from '../application.ts';

/** Ports of one machine at one address. */
export interface Serving {
  close(): Promise<void>;
}

export interface ServingOptions {
  readonly address: string;
  /** As it was when the machine started: which ports there are. */
  readonly application: Application;
  /** As it is now: what they say. */
  readonly read: () => Application | null;
  /** Writes a line to the machine's console. */
  readonly say: (line: string) => void;
}

/** Only on loopback: nobody else's machine is asked in place of a practice one. */
export async function serve({ address, application, read, say }: ServingOptions): Promise<Serving> {
  const { tcp = [], http = [] } = application;
  const servers: { readonly port: number; readonly server: Server }[] = [
    ...tcp.map((port) => ({ port, server: tcpServer(read) })),
    ...http.map(({ port }) => ({ port, server: httpServer(read, port) })),
  ];
  const sockets = new Set<Socket>();
  const listening: Server[] = [];
  for (const { port, server } of servers) {
    const problem = address.startsWith('127.')
      ? await listen(server, address, port)
      : 'it is no loopback address';
    say(
      problem === null
        ? `listening on ${address}:${port}`
        : `cannot listen on ${address}:${port}: ${problem}`,
    );
    if (problem !== null) continue;
    listening.push(server);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    });
  }
  return {
    async close() {
      const closed = listening.map((server) => once(server, 'close'));
      for (const server of listening) server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

async function listen(server: Server, address: string, port: number): Promise<string | null> {
  try {
    server.listen(port, address);
    await once(server, 'listening');
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function tcpServer(read: ServingOptions['read']): Server {
  return createTcpServer((socket) => socket.end(`${read()?.name ?? ''}\n`));
}

function httpServer(read: ServingOptions['read'], port: number): HttpServer {
  return createHttpServer((request, response) => {
    const body = pagesOf(read(), port)[new URL(request.url ?? '/', 'http://guest').pathname];
    const status = body === undefined ? 404 : /^[1-5]\d\d$/.test(body) ? Number(body) : 200;
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(status === 200 ? body : '');
  });
}

function pagesOf(application: Application | null, port: number): ApplicationPages['pages'] {
  return application?.http?.find((each) => each.port === port)?.pages ?? {};
}
