import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { loadTls } from '../../../lab/arm/tls.ts';
import { freePorts } from '../../../lab/processes/ports.ts';
import { waitFor } from '../../../lab/wait.ts';
import type { StepInput } from '../../../workflows/contracts/plan.ts';
import { machineAt, openStepRig, runStep, stepOf, type StepRig } from './support/steps.ts';

type Probe = Extract<StepInput['action'], { kind: 'probe' }>['probe'];

let rig: StepRig;
const servers: Server[] = [];

beforeAll(async () => {
  rig = await openStepRig();
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) (server as ReturnType<typeof createServer>).closeAllConnections();
    server.close();
  }
});
afterAll(() => rig.close());

const machines = { web: machineAt('127.0.0.1') };

function probe(probe: Probe, over: Parameters<typeof stepOf>[1] = {}) {
  return runStep(rig.ports, stepOf({ kind: 'probe', probe }, { machines, timeoutSeconds: 0.2, ...over }));
}

async function listening(server: Server, port = 0): Promise<number> {
  servers.push(server);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const failedWith = (observed: RegExp) => ({
  code: 'DR_STEP_FAILED',
  context: { observed: expect.stringMatching(observed) },
});

describe('a probe', () => {
  test('looks again until the application is there', async () => {
    const [port = 0] = await freePorts(1);
    const asked: unknown[] = [];
    const asking = probe({ kind: 'tcp', machine: 'web', port }, { timeoutSeconds: 30 });
    await waitFor(
      async () => {
        asked.push(0);
        return asked.length > 3;
      },
      { what: 'a few looks', withinMs: 5_000 },
    );
    await listening(createTcpServer(), port);
    const { detail, observed } = await asking;
    expect(detail).toMatch(/^connected in \d+ ms$/);
    expect(observed['looks']).toEqual(expect.any(Number));
  });

  test('that never holds says what it saw last, and how often it looked', async () => {
    const [port = 0] = await freePorts(1);
    await expect(probe({ kind: 'tcp', machine: 'web', port })).rejects.toMatchObject({
      ...failedWith(/^\d looks in 0.2 s, at last: the connection was refused$/),
      message: expect.stringContaining('"the-step" (tcp probe)'),
    });
  });

  test('ends at once when it is cancelled', async () => {
    const [port = 0] = await freePorts(1);
    const abort = new AbortController();
    const step = stepOf(
      { kind: 'probe', probe: { kind: 'tcp', machine: 'web', port } },
      { machines, timeoutSeconds: 600 },
    );
    const asking = runStep(rig.ports, step, { signal: abort.signal });
    abort.abort(new CancelledFailure('cancelled'));
    await expect(asking).rejects.toBeInstanceOf(CancelledFailure);
  });

  test('of a machine that is not of the run, or has no address, says so', async () => {
    await expect(probe({ kind: 'tcp', machine: 'other', port: 80 })).rejects.toMatchObject({
      code: 'DR_STEP_REFUSED',
      context: { reason: '"other" is no machine of this run' },
    });
    const nowhere = { machines: { web: machineAt(null) } };
    await expect(probe({ kind: 'tcp', machine: 'web', port: 80 }, nowhere)).rejects.toMatchObject(
      failedWith(/no address of "web" is known$/),
    );
  });

  test('waits for the address of a machine on premises, which its guest reports late', async () => {
    const port = await listening(createTcpServer());
    let asked = 0;
    const site = { address: async () => ((asked += 1) < 3 ? null : '127.0.0.1') };
    const source = { vcenterId: 'vc', machineId: 'm' } as never;
    const step = stepOf(
      { kind: 'probe', probe: { kind: 'tcp', machine: 'web', port } },
      { machines: { web: { ...machineAt(null), source } }, timeoutSeconds: 30 },
    );
    await expect(runStep({ ...rig.ports, site }, step)).resolves.toMatchObject({ observed: { looks: 3 } });
  });
});

describe('an HTTP probe', () => {
  const answering = async (answer: RequestListener) => {
    const port = await listening(createServer(answer));
    return `http://{address}:${port}/health?deep=1`;
  };

  test('holds when status and body are as wanted, at the address of the machine', async () => {
    const url = await answering((request, response) => response.end(`all is well at ${request.url}`));
    const probed = await probe({
      kind: 'http',
      machine: 'web',
      url,
      status: 200,
      body: 'well at /health?deep=1',
    });
    expect(probed.detail).toMatch(/^200 in \d+ ms$/);
    expect(probed.observed).toMatchObject({ status: 200, bodyBytes: 'all is well at /health?deep=1'.length });
  });

  test('tells another status and another body, in short', async () => {
    const url = await answering((_request, response) =>
      response.writeHead(500).end(`down\n\u0007${'x'.repeat(5_000)}`),
    );
    const error = await probe({ kind: 'http', machine: 'web', url, status: 200, body: 'well' }).catch(
      (error: unknown) => error,
    );
    expect(error).toMatchObject(
      failedWith(/500 in \d+ ms, not 200, its body does not hold "well": down x+…$/),
    );
    expect(String(error).length).toBeLessThan(600);
  });

  test('is not led elsewhere, and not held by a body without end', async () => {
    const elsewhere = await answering((_request, response) =>
      response.writeHead(302, { location: '/' }).end(),
    );
    await expect(probe({ kind: 'http', machine: 'web', url: elsewhere, status: 302 })).resolves.toMatchObject(
      {
        observed: { status: 302 },
      },
    );
    const endless = await answering((_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
      };
      response.on('drain', more);
      more();
    });
    await expect(
      probe({ kind: 'http', machine: 'web', url: endless, status: 200, body: 'y' }),
    ).rejects.toMatchObject(failedWith(/200 in \d+ ms, its body does not hold "y"/));
  });
});

describe('a certificate probe', () => {
  let server: Server;
  let port = 0;
  const shown = (over: object) =>
    probe({ kind: 'certificate', machine: 'web', port, serverName: 'localhost', validDays: 30, ...over });

  beforeAll(async () => {
    const { key, cert } = await loadTls(rig.folder);
    server = createHttpsServer({ key, cert });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.close();
  });

  test('holds for the name and the days wanted, and tells that nobody here trusts its authority', async () => {
    const { detail, observed } = await shown({});
    expect(detail).toMatch(/^certificate valid until 20\S+, chain not trusted here$/);
    expect(observed).toMatchObject({ subject: 'CN=127.0.0.1', chainTrusted: false });
    await expect(shown({ serverName: '127.0.0.1' })).resolves.toBeDefined();
  });

  test('tells another name and too few days', async () => {
    await expect(shown({ serverName: 'shop.example.com', validDays: 3_000 })).rejects.toMatchObject(
      failedWith(/it is not for shop\.example\.com, 36\d days are left, 3000 are wanted$/),
    );
  });
});
