import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { loadTls, type TlsFiles } from '../../../lab/arm/tls.ts';
import type { Notification } from '../../../domain/notification.ts';
import { createMailReceiver, type MailOptions } from '../../../providers/notify/mail-receiver.ts';
import { createWebhookReceiver } from '../../../providers/notify/webhook-receiver.ts';
import { createSecretsFolder } from '../../../providers/steps/secrets-folder.ts';

const SECRET = 'the secret of the hook';
const PASSWORD = 'the password of the mail account';
const ID = 'c0ffee00c0ffee00c0ffee00c0ffee00';
const notification: Notification = {
  id: ID,
  event: 'failed',
  at: '2026-11-21T10:00:00.000Z',
  subject: 'Test of plan shöp failed\r\nBcc: somebody@example.com',
  text: 'What happened:\n.\n  switchback job show 7',
  about: { job: '7', plans: ['shop'] },
};

let folder: string;
let tls: TlsFiles;
let tlsCa: string;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-notify-'));
  tls = await loadTls(folder);
  tlsCa = await readFile(tls.caFile, 'utf8');
  await writeFile(join(folder, 'hook'), SECRET, { mode: 0o600 });
  await writeFile(join(folder, 'mail'), PASSWORD, { mode: 0o600 });
});
afterAll(async () => {
  await Promise.all(closing.map((close) => close()));
  await rm(folder, { recursive: true });
});

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

interface Posted {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function hook(status: number, answer = '') {
  const posted: Posted[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      posted.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(status).end(answer);
    });
  };
  const server = createHttpsServer({ key: tls.key, cert: tls.cert }, listener);
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { posted, url: `https://127.0.0.1:${await portOf(server)}/hook` };
}

const webhook = (url: string, over: { readonly secret?: string; readonly tlsCa?: string } = { tlsCa }) =>
  createWebhookReceiver({
    name: 'on-call',
    url,
    secret: 'hook',
    events: ['failed'],
    secrets: createSecretsFolder(folder),
    ...over,
  });
const soon = () => AbortSignal.timeout(5_000);

interface Mailbox {
  readonly port: number;
  readonly raw: string[];
  readonly wasSecure: boolean[];
}

/** What AUTH PLAIN sends. */
const plain = (...login: readonly (string | null | undefined)[]) =>
  Buffer.from(['', ...login].join('\0')).toString('base64');

async function mailbox(over: SMTPServerOptions = {}): Promise<Mailbox> {
  const raw: string[] = [];
  const wasSecure: boolean[] = [];
  const server = new SMTPServer({
    key: tls.key,
    cert: tls.cert,
    logger: false,
    onAuth: ({ username, password }, _session, done) =>
      username === 'dr' && password === PASSWORD
        ? done(null, { user: username })
        : done(new Error(`${password} is not the password, ${plain(username, password)} no login`)),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        raw.push(Buffer.concat(chunks).toString());
        wasSecure.push(session.secure);
        done();
      });
    },
    ...over,
  });
  server.on('error', () => undefined);
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return { port: (server.server.address() as AddressInfo).port, raw, wasSecure };
}

const mail = (port: number, over: Partial<MailOptions> = {}) =>
  createMailReceiver({
    name: 'mail',
    host: '127.0.0.1',
    port,
    tls: 'starttls',
    login: { user: 'dr', passwordSecret: 'mail' },
    from: 'dr@example.com',
    to: ['one@example.com', 'two@example.com'],
    events: ['failed'],
    secrets: createSecretsFolder(folder),
    tlsCa,
    ...over,
  });

test('a webhook is sent the notification as JSON, signed, under the id of the notification', async () => {
  const { url, posted } = await hook(204);
  await expect(webhook(url).send(notification, soon())).resolves.toMatchObject({
    detail: expect.stringMatching(/^204 in \d+ ms$/),
  });
  const [{ headers, body } = { headers: {}, body: '' }] = posted;
  expect(JSON.parse(body)).toEqual(notification);
  expect(headers['idempotency-key']).toBe(ID);
  const [, seconds, digest] =
    /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-switchback-signature'])) ?? [];
  expect(digest).toBe(createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex'));
});

test('a webhook that does not take it says why, and never the secret', async () => {
  const { url } = await hook(500, `no, not with ${SECRET}`);
  await expect(webhook(url).send(notification, soon())).rejects.toMatchObject({
    code: 'DR_NOTIFICATION_FAILED',
    message: expect.stringMatching(/^Receiver "on-call" .* 500 in \d+ ms: no, not with •••$/),
  });
  await expect(webhook(url, {}).send(notification, soon())).rejects.toMatchObject({
    message: expect.stringMatching(/no answer: .*certificate/),
  });
  await expect(webhook(url, { secret: 'absent', tlsCa }).send(notification, soon())).rejects.toMatchObject({
    code: 'DR_SECRET_UNKNOWN',
  });
});

test('who never answers is given up when the time is over, by post and by mail', async () => {
  const open: Socket[] = [];
  const silent = createTcpServer((socket) => void open.push(socket.on('error', () => undefined)));
  closing.push(async () => {
    for (const socket of open) socket.destroy();
    silent.close();
  });
  const port = await portOf(silent);
  const brief = () => AbortSignal.timeout(50);
  const message = expect.stringContaining('its time was over');
  await expect(webhook(`http://127.0.0.1:${port}/`).send(notification, brief())).rejects.toMatchObject({
    message,
  });
  await expect(mail(port).send(notification, brief())).rejects.toMatchObject({ message });
});

test.each(['starttls', 'implicit'] as const)('mail goes to every recipient over TLS (%s)', async (kind) => {
  const { port, raw, wasSecure } = await mailbox({ secure: kind === 'implicit' });
  await expect(mail(port, { tls: kind }).send(notification, soon())).resolves.toMatchObject({
    detail: expect.stringMatching(/^250 /),
  });
  expect(wasSecure).toEqual([true]);
  const [head = '', body = ''] = raw[0]?.split('\r\n\r\n', 2) ?? [];
  expect(head).toMatch(/^To: one@example.com, two@example.com$/im);
  expect(head).toMatch(new RegExp(`^Message-ID: <${ID}@example.com>$`, 'im'));
  expect(head).toMatch(/^Auto-Submitted: auto-generated$/im);
  expect(head).toMatch(/^Subject: =\?UTF-8\?Q\?=5Bswitchback=5D_Test_of_plan_sh=C3=B6p/m);
  expect(head).not.toMatch(/^Bcc:/im);
  expect(body).toContain('\r\n.\r\n  switchback job show 7');
});

test('a wrong password is told without it, and a server without TLS is not spoken to', async () => {
  await writeFile(join(folder, 'wrong'), 'something else entirely', { mode: 0o600 });
  const { port } = await mailbox();
  const wrong = mail(port, { login: { user: 'dr', passwordSecret: 'wrong' } });
  await expect(wrong.send(notification, soon())).rejects.toMatchObject({
    code: 'DR_NOTIFICATION_FAILED',
    message: expect.stringMatching(/: [^:]*••• is not the password, ••• no login/),
  });
  const { port: open, raw } = await mailbox({ hideSTARTTLS: true, disabledCommands: ['STARTTLS'] });
  await expect(mail(open).send(notification, soon())).rejects.toMatchObject({
    message: expect.stringMatching(/STARTTLS/),
  });
  const { tlsCa: _, ...distrusting } = {
    name: 'mail',
    host: '127.0.0.1',
    port,
    tls: 'starttls' as const,
    from: 'dr@example.com',
    to: ['one@example.com'],
    events: [],
    secrets: createSecretsFolder(folder),
    tlsCa,
  };
  await expect(createMailReceiver(distrusting).send(notification, soon())).rejects.toMatchObject({
    message: expect.stringMatching(/certificate/),
  });
  expect(raw).toEqual([]);
});

test('a recipient that the server refuses is told, and the others have it', async () => {
  const { port, raw } = await mailbox({
    onRcptTo: ({ address }, _session, done) =>
      done(address.startsWith('two') ? new Error('who is two?') : null),
  });
  await expect(mail(port).send(notification, soon())).resolves.toMatchObject({
    problem: 'not taken for two@example.com',
  });
  expect(raw).toHaveLength(1);
});

test('a server of this machine may be spoken to in clear, without a login', async () => {
  const { port, wasSecure } = await mailbox({ authOptional: true });
  const { login: _, ...open } = {
    name: 'mail',
    host: '127.0.0.1',
    port,
    tls: 'none' as const,
    login: undefined,
    from: 'dr@example.com',
    to: ['one@example.com'],
    events: [],
    secrets: createSecretsFolder(folder),
  };
  await createMailReceiver(open).send(notification, soon());
  expect(wasSecure).toEqual([false]);
});
