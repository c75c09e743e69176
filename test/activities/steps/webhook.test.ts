import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { loadTls } from '../../../lab/arm/tls.ts';
import { machineAt, openStepRig, runStep, stepOf, type StepRig } from './support/steps.ts';

const SECRET = 'the secret of the webhook';
let rig: StepRig;
const servers: Server[] = [];

beforeAll(async () => {
  rig = await openStepRig();
  await rig.secret('hook', SECRET);
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(() => rig.close());

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Answers as told and keeps what came. */
function keeping(received: Received[], answer: RequestListener): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
      answer(request, response);
    });
  };
}

async function hook(
  answer: RequestListener,
): Promise<{ readonly url: string; readonly received: Received[] }> {
  const received: Received[] = [];
  const port = await listening(createServer(keeping(received, answer)));
  return { url: `http://127.0.0.1:${port}/hook`, received };
}

const post = (url: string, over: Parameters<typeof stepOf>[1] = {}, ports = rig.ports) =>
  runStep(ports, stepOf({ kind: 'webhook', url, secret: 'hook' }, over));

test('a webhook is signed, and says which step of which run it is', async () => {
  const { url, received } = await hook((_request, response) => response.writeHead(204).end());
  const machines = { web: machineAt('10.1.2.3') };
  await expect(post(url, { machines })).resolves.toMatchObject({ observed: { status: 204 } });
  const [{ headers, body } = { headers: {}, body: '' }] = received;
  expect(JSON.parse(body)).toEqual({
    run: 'run-1',
    plan: 'shop',
    planVersion: 3,
    kind: 'test',
    step: 'the-step',
    machines: { web: { address: '10.1.2.3', vmId: null } },
  });
  const [, seconds = '', digest] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-switchback-signature'])) ?? [];
  expect(digest).toBe(createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex'));
  expect(Math.abs(Date.now() / 1000 - Number(seconds))).toBeLessThan(60);
});

test('every try of a step carries the same key, another step another one', async () => {
  const { url, received } = await hook((_request, response) => response.writeHead(200).end());
  await post(url);
  await post(url);
  await post(url, { stepName: 'another' });
  const [first, second, third] = received.map(({ headers }) => headers['idempotency-key']);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
  expect(received[1]?.body).toBe(received[0]?.body);
});

test('an answer that is no success is told, without the secret and without its length', async () => {
  const { url } = await hook((_request, response) => {
    response.writeHead(503).end(`${SECRET} is wrong ${'x'.repeat(1_000_000)}`);
  });
  const error = await post(url).catch((error: unknown) => error);
  expect(error).toMatchObject({
    code: 'DR_STEP_FAILED',
    context: { observed: expect.stringMatching(/^503: ••• is wrong x+/) },
  });
  expect(String(error).length).toBeLessThan(1_000);
  expect(String(error)).not.toContain(SECRET);
});

test('a redirection is not followed', async () => {
  const target = await hook((_request, response) => response.writeHead(200).end());
  const { url } = await hook((_request, response) => response.writeHead(307, { location: target.url }).end());
  await expect(post(url)).rejects.toMatchObject({ code: 'DR_STEP_FAILED', context: { observed: '307' } });
  expect(target.received).toEqual([]);
});

test('a receiver that stays silent, or is not there, fails the step in its time', async () => {
  const { url } = await hook(() => undefined);
  await expect(post(url, { timeoutSeconds: 0.2 })).rejects.toMatchObject({
    code: 'DR_STEP_FAILED',
    context: { observed: 'no answer within 0.2 s' },
  });
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, 'close');
  await expect(post(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
    code: 'DR_STEP_FAILED',
    context: { observed: expect.stringMatching(/^no answer: .*ECONNREFUSED/) },
  });
});

test('HTTPS is checked against the public authorities and the one of the configuration', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-hook-'));
  try {
    const { key, cert, caFile } = await loadTls(folder);
    const server = createHttpsServer({ key, cert }, (_request, response) => response.writeHead(200).end());
    const url = `https://127.0.0.1:${await listening(server)}/`;
    await expect(post(url)).rejects.toMatchObject({
      code: 'DR_STEP_FAILED',
      context: { observed: expect.stringMatching(/no answer: .*certificate/) },
    });
    const webhookCa = await readFile(caFile, 'utf8');
    await expect(post(url, {}, { ...rig.ports, webhookCa })).resolves.toMatchObject({
      observed: { status: 200 },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('plain HTTP goes no further than this machine', async () => {
  for (const url of [
    'http://example.com/',
    'http://127.0.0.1.example.com/',
    'https://user:pass@example.com/',
    'ftp://x/',
  ]) {
    await expect(post(url)).rejects.toMatchObject({ code: 'DR_STEP_REFUSED' });
  }
});
