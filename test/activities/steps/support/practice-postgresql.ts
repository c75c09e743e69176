/** PGlite behind a socket: PostgreSQL's own protocol, one client at a time, no TLS. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { PGlite } from '@electric-sql/pglite';

export interface PracticePostgresql {
  readonly port: number;
  readonly database: PGlite;
  close(): Promise<void>;
}

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

export async function startPostgresql(): Promise<PracticePostgresql> {
  const database = await PGlite.create();
  const sockets = new Set<Socket>();
  let turn: Promise<void> = Promise.resolve();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      // What the client has left open ends with it.
      turn = turn.then(async () => void (await database.exec('rollback')));
    });
    socket.on('data', (bytes: Buffer) => {
      turn = turn.then(() => answer(database, socket, bytes));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    database,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      await turn;
      await database.close();
    },
  };
}

async function answer(database: PGlite, socket: Socket, bytes: Buffer): Promise<void> {
  if (bytes.equals(SSL_REQUEST)) {
    socket.write('N');
    return;
  }
  const said = await database.execProtocolRaw(bytes);
  if (!socket.destroyed) socket.write(said);
}
