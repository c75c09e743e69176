/** MySQL's protocol as the client library speaks it from the other side, without TLS; it knows two queries. */
import { once } from 'node:events';
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net';
import { createServer, type Connection } from 'mysql2';

export interface PracticeMysql {
  readonly port: number;
  /** Queries in order. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** Everything but TLS. */
const CAPABILITIES = 0xff_ff_ff & ~0x08_00;
const COLUMN = {
  catalog: 'def',
  schema: '',
  table: '',
  orgTable: '',
  name: 'a',
  orgName: 'a',
  characterSet: 63,
  columnLength: 20,
  columnType: 253,
  flags: 0,
  decimals: 0,
};

/** `rows` answers a query with one column; undefined: the query fails with its own text as the message. */
export async function startMysql(
  rows: (sql: string) => readonly string[] | undefined,
): Promise<PracticeMysql> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((connection) => {
    const peer: Connection = connection;
    peer.on('error', () => undefined);
    peer.on('query', (sql: string) => {
      asked.push(sql);
      const found = rows(sql);
      if (sql.startsWith('START')) peer.writeOk();
      else if (found === undefined) peer.writeError({ code: 1_064, message: `no such thing: ${sql}` });
      else
        peer.writeTextResult(
          found.map((a) => ({ a })),
          [COLUMN],
        );
      // Each command of a client counts its packets anew.
      peer.sequenceId = 0;
    });
    peer.serverHandshake({
      protocolVersion: 10,
      serverVersion: '8.0.0-practice',
      connectionId: 1,
      statusFlags: 2,
      characterSet: 45,
      capabilityFlags: CAPABILITIES,
      authCallback(_facts: object, done: (error: null) => void) {
        done(null);
        peer.sequenceId = 0;
      },
    });
  });
  const { _server: listener } = server as unknown as { readonly _server: TcpServer };
  listener.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
