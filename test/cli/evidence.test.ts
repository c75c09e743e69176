/** `switchback evidence`: two verbs without any server, two with one. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { asId } from '../../domain/ids.ts';
import { exampleKey, fileOf, publicKeyOf, sampleRecord, someKey } from '../evidence/support/bundle.ts';
import { startServer, type RunningServer } from '../support/server.ts';
import { operatorOf, runCli } from './run.ts';

let folder: string;
let server: RunningServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-evidence-'));
  server = await startServer();
  await file('key.pem', publicKeyOf(exampleKey).pem);
  await file('other.pem', publicKeyOf(someKey()).pem);
  await file('shop.html', fileOf());
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

async function file(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

const evidence = (line: string, env?: Record<string, string>) =>
  runCli(`evidence ${line}`.replaceAll('@', `${folder}/`).split(' '), env === undefined ? {} : { env });

test('verify ends with 0 only for a key that was given, and says when the key was compared with none', async () => {
  const trusted = await evidence('verify @shop.html --key @other.pem --key @key.pem');
  expect(trusted).toMatchObject({ exit: 0, stderr: '' });
  expect(trusted.stdout).toContain('is what was signed, by a key that you trust.');
  const alone = await evidence('verify @shop.html');
  expect(alone).toMatchObject({ exit: 12, stderr: '' });
  expect(alone.stdout).toContain('NOT compared with one you trust');
  const told = await evidence('verify @shop.html --key @key.pem --output json');
  expect(JSON.parse(told.stdout)).toMatchObject({ verdict: 'verified', isKeyTrusted: true });
});

test('verify names what was altered and ends with 7, or with 5 when another key signed it', async () => {
  await file('altered.html', fileOf().replace('"status":"answered"', '"status":"mastered"'));
  const altered = await evidence('verify @altered.html --key @key.pem');
  expect(altered).toMatchObject({ exit: 7, stdout: '' });
  expect(altered.stderr).toContain('step 4 `database-answers`: observed.status');
  const told = await evidence('verify @altered.html --output json');
  expect(told.exit).toBe(7);
  expect(JSON.parse(told.stdout)).toMatchObject({
    verdict: 'altered',
    place: 'step 4 `database-answers`: observed.status',
  });
  expect(JSON.parse(told.stderr)).toMatchObject({ code: 'DR_EVIDENCE_ALTERED' });
  const other = await evidence('verify @shop.html --key @other.pem');
  expect(other).toMatchObject({ exit: 5, stdout: '' });
  expect(other.stderr).toContain('DR_EVIDENCE_KEY');
});

test('verify refuses in words what is no file, no bundle and no public key', async () => {
  await file('empty.html', '');
  await file('private.pem', exampleKey.export({ type: 'pkcs8', format: 'pem' }));
  const runs = await Promise.all(
    ['@missing.html', '@empty.html', '@shop.html --key @empty.html', '@shop.html --key @private.pem'].map(
      (line) => evidence(`verify ${line}`),
    ),
  );
  expect(runs.map(({ exit }) => exit)).toEqual([2, 7, 2, 2]);
  expect(runs.map(({ stderr }) => stderr).join('')).toMatch(
    /cannot be read[\s\S]*it holds no record[\s\S]*no public key[\s\S]*give its public half/,
  );
});

test('show tells a verified bundle, and nothing of an altered one', async () => {
  const shown = await evidence('show @shop.html --key @key.pem');
  expect(shown).toMatchObject({ exit: 0, stderr: '' });
  expect(shown.stdout).toMatch(
    /test of shop version 3[\s\S]*left behind +nothing[\s\S]*db-01[\s\S]*database-answers/,
  );
  const record = await evidence('show @shop.html --output json');
  expect(JSON.parse(record.stdout)).toEqual(sampleRecord);
  await file('worse.html', fileOf().replace('"reached":861.25', '"reached":61.25'));
  expect(await evidence('show @worse.html')).toMatchObject({ exit: 7, stdout: '' });
});

test('get fetches the evidence of a run byte for byte, and never over another file', async () => {
  const { id } = sampleRecord.run;
  const job = {
    id: asId<Parameters<typeof server.catalogue.bookJob>[0]['id']>(id),
    kind: 'testPlan',
    subject: 'shop',
    state: 'succeeded',
    requestedBy: 'administrator',
    revision: 1,
    startedAt: sampleRecord.run.startedAt,
    tasks: [],
  } as const;
  await server.catalogue.bookJob(job);
  const early = await evidence(`get ${id}`, operatorOf(server));
  expect(early).toMatchObject({ exit: 3, stdout: '' });
  expect(early.stderr).toContain('DR_EVIDENCE_UNKNOWN');
  server.evidence.set(`shop/${id}`, fileOf());
  expect((await evidence(`get ${id}`, operatorOf(server))).stdout).toBe(fileOf());
  expect(await evidence(`get ${id} --file @got.html`, operatorOf(server))).toMatchObject({
    exit: 0,
    stderr: '',
  });
  expect(await readFile(join(folder, 'got.html'), 'utf8')).toBe(fileOf());
  expect(await evidence(`get ${id} --file @got.html`, operatorOf(server))).toMatchObject({ exit: 2 });
  expect((await evidence('get unheard-of', operatorOf(server))).stderr).toContain('DR_JOB_UNKNOWN');
});

test('the page comes as a page that may load and run nothing, and only with a token', async () => {
  const { id } = sampleRecord.run;
  server.evidence.set(`shop/${id}`, fileOf());
  const { Agent, request } = await import('undici');
  const dispatcher = new Agent({ connect: { ca: server.authorityPem } });
  const answer = await request(`${server.url}/v1/jobs/${id}/evidence`, {
    dispatcher,
    headers: { authorization: `Bearer ${server.token}` },
  });
  expect(answer.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': expect.stringContaining('sandbox'),
    'x-content-type-options': 'nosniff',
  });
  expect(await answer.body.text()).toBe(fileOf());
  const refused = await request(`${server.url}/v1/jobs/${id}/evidence`, { dispatcher });
  expect(refused.statusCode).toBe(401);
  await refused.body.dump();
  await dispatcher.close();
});

test('key shows the public key of the server and writes it to a file', async () => {
  const shown = await evidence('key --file @fetched.pem', operatorOf(server));
  expect(shown).toMatchObject({ exit: 0, stderr: '' });
  expect(shown.stdout).toContain(`key id  ${'ab'.repeat(32)}`);
  expect(await readFile(join(folder, 'fetched.pem'), 'utf8')).toContain('BEGIN PUBLIC KEY');
});
