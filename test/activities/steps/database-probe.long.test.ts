import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startMysql, type PracticeMysql } from './support/practice-mysql.ts';
import { startPostgresql, type PracticePostgresql } from './support/practice-postgresql.ts';
import { machineAt, openStepRig, runStep, stepOf, type StepRig } from './support/steps.ts';

const PASSWORD = 'open sesame, database';
let rig: StepRig;

beforeAll(async () => {
  rig = await openStepRig();
  await rig.secret('reader', PASSWORD);
});
afterAll(() => rig.close());

interface Asked {
  readonly kind: 'postgresql' | 'mysql';
  readonly port: number;
  readonly query: string;
  readonly answer: string;
  readonly timeoutSeconds?: number;
}

function ask({ timeoutSeconds = 20, ...probe }: Asked) {
  const target = { machine: 'db', database: 'postgres', user: 'postgres', secret: 'reader' };
  return runStep(
    rig.ports,
    stepOf(
      { kind: 'probe', probe: { ...target, ...probe } },
      { machines: { db: machineAt('127.0.0.1') }, timeoutSeconds },
    ),
  );
}

const failedWith = (observed: RegExp) => ({
  code: 'DR_STEP_FAILED',
  context: { observed: expect.stringMatching(observed) },
});

describe('a PostgreSQL probe', () => {
  let server: PracticePostgresql;
  let port: number;
  const kind = 'postgresql';

  beforeAll(async () => {
    server = await startPostgresql();
    ({ port } = server);
    await server.database.exec(
      'create table orders (id int, note text); insert into orders values (7, null), (8, $$x$$)',
    );
  });
  afterAll(() => server.close());

  test('compares the first column of the first row, as text', async () => {
    await expect(
      ask({ kind, port, query: 'select count(*), 5 from orders', answer: '2' }),
    ).resolves.toMatchObject({
      detail: expect.stringMatching(/^"2" in \d+ ms$/),
      observed: { isEncrypted: false },
    });
  });

  test('tells another answer, none, and NULL', async () => {
    const wrong = (query: string) => ask({ kind, port, query, answer: '9', timeoutSeconds: 0.2 });
    await expect(wrong('select id from orders order by id')).rejects.toMatchObject(
      failedWith(/the query answered "7", not "9"$/),
    );
    await expect(wrong('select id from orders where id > 100')).rejects.toMatchObject(
      failedWith(/answered no row/),
    );
    await expect(wrong('select note from orders where id = 7')).rejects.toMatchObject(
      failedWith(/answered NULL/),
    );
  });

  test('sends no password in clear text over a line that is not encrypted', async () => {
    const received: Buffer[] = [];
    const curious = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes: Buffer) => {
        received.push(bytes);
        const wantsTls = bytes.length === 8;
        socket.write(wantsTls ? 'N' : Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
      });
    });
    curious.listen(0, '127.0.0.1');
    await once(curious, 'listening');
    const { port } = curious.address() as AddressInfo;
    await expect(
      ask({ kind, port, query: 'select 1', answer: '1', timeoutSeconds: 0.2 }),
    ).rejects.toMatchObject(failedWith(/wants the password in clear text/));
    curious.close();
    await once(curious, 'close');
    expect(Buffer.concat(received).toString('latin1')).not.toContain(PASSWORD);
  });

  test('cannot change anything', async () => {
    for (const query of ['delete from orders returning id', 'commit; delete from orders']) {
      await expect(ask({ kind, port, query, answer: '7', timeoutSeconds: 0.2 })).rejects.toMatchObject(
        failedWith(/read-only|multiple commands/),
      );
    }
    const { rows } = await server.database.query('select count(*)::int as left from orders');
    expect(rows).toEqual([{ left: 2 }]);
  });
});

describe('a MySQL probe', () => {
  let server: PracticeMysql;
  let port: number;
  const kind = 'mysql';

  beforeAll(async () => {
    server = await startMysql((sql) => (sql === 'select 40 + 2' ? ['42', 'more'] : undefined));
    ({ port } = server);
  });
  afterAll(() => server.close());

  test('asks in a transaction that cannot write, and compares the answer', async () => {
    await expect(ask({ kind, port, query: 'select 40 + 2', answer: '42' })).resolves.toMatchObject({
      detail: expect.stringMatching(/^"42" in \d+ ms$/),
      observed: { isEncrypted: false },
    });
    expect(server.asked).toEqual(['START TRANSACTION READ ONLY', 'select 40 + 2']);
  });

  test('tells what the server says, and never the password', async () => {
    const query = `select '${PASSWORD}'`;
    await expect(ask({ kind, port, query, answer: '1', timeoutSeconds: 0.2 })).rejects.toMatchObject(
      failedWith(/at last: no such thing: select '•••'$/),
    );
  });
});
