import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { contract } from '../../api/contract.ts';
import { DrError } from '../../domain/errors.ts';
import { asId, type VCenterId } from '../../domain/ids.ts';
import type { Job } from '../../domain/job.ts';
import { sampleItem, sampleMachine } from '../support/samples.ts';
import { certificate, startServer, type RunningServer } from '../support/server.ts';

const subnetId =
  '/subscriptions/s/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/default';
const target = { location: 'westeurope', vmSize: 'Standard_D2s_v5', subnetId };

let server: RunningServer;
let trusting: Agent;
beforeAll(async () => {
  server = await startServer();
  trusting = new Agent({ connect: { ca: server.authorityPem } });
});
afterAll(async () => {
  await trusting.close();
  await server.close();
});
beforeEach(() => {
  server.runbooks.calls.length = 0;
  server.runbooks.failures.clear();
  server.runbooks.certificate = certificate;
  server.runbooks.onDiscover = async () => 0;
});

async function raw(path: string, options: { token?: string; method?: 'GET' | 'POST'; body?: unknown } = {}) {
  const answer = await request(`${server.url}${path}`, {
    dispatcher: trusting,
    method: options.method ?? 'GET',
    headers: {
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(options.body === undefined
      ? {}
      : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
  });
  const text = await answer.body.text();
  return {
    status: answer.statusCode,
    body: JSON.parse(text) as Record<string, unknown>,
    headers: answer.headers,
  };
}

function lost(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('tokens', () => {
  test('health is told to anybody', async () => {
    expect(await raw('/health')).toMatchObject({ status: 200, body: { status: 'ok', site: 'main' } });
  });

  test.each([
    ['no token', undefined],
    ['a token of another form', 'secret'],
    ['an unknown token', `sb_000000000000_${'a'.repeat(43)}`],
  ])('%s is refused on every other path', async (_, token) => {
    for (const path of ['/v1/vcenters', '/v1/jobs/x', '/no/such/path']) {
      const answer = await raw(path, token === undefined ? {} : { token });
      expect(answer).toMatchObject({ status: 401, body: { code: 'DR_REQUEST_UNAUTHENTICATED' } });
    }
  });

  test('the secret half of a token counts', async () => {
    const swapped = server.token.slice(0, -1) + (server.token.endsWith('A') ? 'B' : 'A');
    expect((await raw('/v1/jobs', { token: swapped })).status).toBe(401);
    expect((await raw('/v1/jobs', { token: server.token })).status).toBe(200);
  });

  test('the first token lies in a file that only its owner reads, and never in the log', async () => {
    expect((await stat(join(server.folder, 'administrator.token'))).mode & 0o777).toBe(0o600);
    await raw('/v1/jobs', { token: server.token });
    expect(server.logged.length).toBeGreaterThan(0);
    expect(server.logged.join('')).not.toContain(server.token.slice(16));
  });
});

describe('requests', () => {
  test.each([
    ['a field in the body', '/v1/policies', { name: 'x', intervalSeconds: 60, colour: 'red' }, 'colour'],
    [
      'a field deep in the body',
      '/v1/protected-items',
      { machine: 'm', policy: 'p', target: { ...target, region: '1' } },
      'region',
    ],
  ])('%s that is not known is refused by name', async (_, path, body, field) => {
    const answer = await raw(path, { token: server.token, method: 'POST', body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'DR_REQUEST_INVALID' } });
    expect(answer.body['message']).toContain(field);
  });

  test('a query parameter that is not known is refused by name', async () => {
    const answer = await raw('/v1/jobs?stat=failed', { token: server.token });
    expect(answer).toMatchObject({ status: 400, body: { code: 'DR_REQUEST_INVALID' } });
    expect(answer.body['message']).toContain('stat');
  });

  test('a wrong value is refused with its path', async () => {
    const body = { machine: 'm', policy: 'p', target: { ...target, privateIpAddress: '10.0.0.400' } };
    const answer = await raw('/v1/protected-items', { token: server.token, method: 'POST', body });
    expect(answer.body['message']).toContain('body.target.privateIpAddress');
  });

  test.each([
    '/v1/jobs?item=a%00b',
    '/v1/jobs/a%00b',
    '/v1/machines?name=a%0Ab',
    '/v1/protected-items/a%00b',
    '/v1/protected-items/a%1Bb/recovery-points',
  ])('a control character is refused in %s', async (path) => {
    const answer = await raw(path, { token: server.token });
    expect(answer).toMatchObject({ status: 400, body: { code: 'DR_REQUEST_INVALID' } });
  });

  test.each([
    ['machine', '/v1/protected-items', { machine: 'a\u0000b', policy: 'p', target }],
    ['machine', '/v1/protected-items', { machine: '\ud800', policy: 'p', target }],
    ['notes', '/v1/protected-items/x/cleanup-test-failover', { notes: 'first\nsecond\u0000' }],
    [
      'subnetId',
      '/v1/protected-items',
      { machine: 'm', policy: 'p', target: { ...target, subnetId: `${subnetId}\u0000` } },
    ],
    ['url', '/v1/vcenters/probe', { url: 'https://vc.example.com:99999' }],
    ['url', '/v1/vcenters/probe', { url: 'https://[vc' }],
  ])('a body whose %s nothing can hold or reach is refused: %s %j', async (field, path, body) => {
    const answer = await raw(path, { token: server.token, method: 'POST', body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'DR_REQUEST_INVALID' } });
    expect(answer.body['message']).toContain(field);
    expect(server.runbooks.calls).toEqual([]);
  });

  test('a body that is not JSON, and an unknown route, are told in the same form', async () => {
    const broken = await raw('/v1/policies', { token: server.token, method: 'POST', body: '{' });
    expect(broken).toMatchObject({ status: 400, body: { code: 'DR_REQUEST_INVALID' } });
    const lost = await raw('/v1/nothing', { token: server.token });
    expect(lost).toMatchObject({ status: 404, body: { code: 'DR_ROUTE_UNKNOWN' } });
    expect(lost.body['requestId']).toBe(lost.headers['x-request-id']);
  });

  test.each([
    new DrError('DR_STORAGE_UNREACHABLE', { account: 'a', reason: 'r' }, { cause: lost('ECONNREFUSED') }),
    new DrError('DR_VCENTER_UNREACHABLE', { url: 'u', reason: 'r' }, { cause: lost('ECONNRESET') }),
    new DrError('DR_TEMPORAL_UNREACHABLE', { address: 'a', reason: 'r' }, { cause: lost('ETIMEDOUT') }),
  ])('$code keeps its name whatever connection was lost', async (failure) => {
    server.runbooks.failures.set('probeVCenter', [failure]);
    const body = { url: 'https://vc.example.com' };
    const answer = await raw('/v1/vcenters/probe', { token: server.token, method: 'POST', body });
    expect(answer).toMatchObject({ status: 503, body: { code: failure.code } });
  });

  test('an unexpected failure says where to look and nothing about the inside', async () => {
    const bug = new Error('select secret from inside') as DrError;
    server.runbooks.failures.set('probeVCenter', [bug]);
    const body = { url: 'https://vc.example.com' };
    const answer = await raw('/v1/vcenters/probe', { token: server.token, method: 'POST', body });
    expect(answer).toMatchObject({ status: 500, body: { code: 'DR_INTERNAL' } });
    expect(JSON.stringify(answer.body)).not.toContain('inside');
    expect(server.logged.join('')).toContain(String(answer.body['requestId']));
  });
});

describe('vCenters', () => {
  const password = 'correct horse battery';
  const vcenter = (name: string) => ({
    name,
    url: 'https://vc.example.com',
    username: 'dr@vsphere.local',
    password,
    certificateSha256: certificate.sha256,
  });

  test('adding one keeps its password out of catalogue, answer and log', async () => {
    server.runbooks.onDiscover = async (id) => {
      await server.catalogue.recordMachines(id, [sampleMachine(500, { vcenterId: id })], {
        generation: 'a',
        complete: true,
      });
      return 1;
    };
    const added = await server.client.call(contract.addVCenter, { body: vcenter('good') });
    expect(added).toMatchObject({ name: 'good', machineCount: 1, version: '8.0.3' });
    expect(server.connections.get('good')?.password.reveal()).toBe(password);
    const listed = await server.client.call(contract.listVCenters, { query: {} });
    expect(JSON.stringify([added, listed])).not.toContain(password);
    expect(server.logged.join('')).not.toContain(password);
  });

  test('nothing is saved when the certificate is not the confirmed one', async () => {
    server.runbooks.certificate = { ...certificate, sha256: certificate.sha256.replace('AB', 'CD') };
    await expect(server.client.call(contract.addVCenter, { body: vcenter('moved') })).rejects.toMatchObject({
      code: 'DR_VCENTER_CERTIFICATE_CHANGED',
    });
    expect(server.connections.has('moved')).toBe(false);
    expect(server.runbooks.times('discover')).toBe(0);
  });

  test('nothing stays registered when the account is refused', async () => {
    const refused = new DrError('DR_VCENTER_CREDENTIALS', { url: 'https://vc.example.com', username: 'dr' });
    server.runbooks.failures.set('discover', [refused]);
    await expect(server.client.call(contract.addVCenter, { body: vcenter('refused') })).rejects.toMatchObject(
      {
        code: 'DR_VCENTER_CREDENTIALS',
        exit: 5,
      },
    );
    expect(server.connections.has('refused')).toBe(false);
    expect(await server.catalogue.vcenter(asId('refused'))).toBeUndefined();
  });

  test('a wrong new password leaves the registered vCenter as it was', async () => {
    await server.client.call(contract.addVCenter, { body: vcenter('renewed') });
    const refused = new DrError('DR_VCENTER_CREDENTIALS', { url: 'https://vc.example.com', username: 'dr' });
    server.runbooks.failures.set('discover', [refused]);
    const body = { ...vcenter('renewed'), password: 'wrong', username: 'other' };
    await expect(server.client.call(contract.addVCenter, { body })).rejects.toMatchObject({ status: 401 });
    expect(server.connections.get('renewed')?.password.reveal()).toBe(password);
    expect((await server.catalogue.vcenter(asId('renewed')))?.username).toBe('dr@vsphere.local');
  });

  test('one that is out of reach for the moment stays registered and says so', async () => {
    const away = new DrError('DR_VCENTER_UNREACHABLE', {
      url: 'https://vc.example.com',
      reason: 'ECONNREFUSED',
    });
    server.runbooks.failures.set('discover', [away]);
    const added = await server.client.call(contract.addVCenter, { body: vcenter('away') });
    expect(added.discoveryProblem?.code).toBe('DR_VCENTER_UNREACHABLE');
    expect(server.connections.has('away')).toBe(true);
  });

  test('one whose machines are not protected is forgotten with its credential', async () => {
    await server.client.call(contract.addVCenter, { body: vcenter('gone') });
    const item = { ...sampleItem(600), vcenterId: asId<VCenterId>('gone') };
    await server.catalogue.recordItem(item);
    const remove = () => server.client.call(contract.removeVCenter, { params: { id: 'gone' } });
    await expect(remove()).rejects.toMatchObject({
      code: 'DR_VCENTER_IN_USE',
      message: expect.stringContaining(item.machineName),
    });
    expect(server.connections.has('gone')).toBe(true);
    await server.catalogue.recordItem({ ...item, state: 'disabled', revision: 2 });
    expect(await remove()).toEqual({ name: 'gone' });
    expect(server.connections.has('gone')).toBe(false);
    await expect(remove()).rejects.toMatchObject({ code: 'DR_VCENTER_UNKNOWN' });
  });

  test('a name that another vCenter has is refused', async () => {
    await server.client.call(contract.addVCenter, { body: vcenter('taken') });
    const body = { ...vcenter('taken'), url: 'https://other.example.com' };
    await expect(server.client.call(contract.addVCenter, { body })).rejects.toMatchObject({
      code: 'DR_NAME_TAKEN',
    });
  });
});

describe('policies', () => {
  test('the same policy again is no error, another one of that name is', async () => {
    const body = { name: 'twice', intervalSeconds: 120, retentionHours: 48 };
    const first = await server.client.call(contract.createPolicy, { body });
    const made = async () => (await server.catalogue.listJobs({ limit: 100 })).items.filter(isOfTwice);
    const isOfTwice = (job: Job) => job.kind === 'createPolicy' && job.subject === 'twice';
    expect(await made()).toMatchObject([{ state: 'succeeded', requestedBy: 'administrator' }]);
    const failback = { intervalSeconds: 300, rpoThresholdSeconds: 900 };
    expect(first).toEqual({ ...body, rpoThresholdSeconds: 900, failback });
    expect(await server.client.call(contract.createPolicy, { body })).toEqual(first);
    expect(await made()).toHaveLength(1);
    await expect(
      server.client.call(contract.createPolicy, { body: { ...body, intervalSeconds: 60 } }),
    ).rejects.toMatchObject({ code: 'DR_NAME_TAKEN', exit: 4 });
  });

  test.each([
    ['intervalSeconds', { intervalSeconds: 59 }],
    ['intervalSeconds', { intervalSeconds: 3601 }],
    ['retentionHours', { retentionHours: 8761 }],
    ['rpoThresholdSeconds', { intervalSeconds: 120, rpoThresholdSeconds: 60 }],
    ['appConsistentHours', { appConsistentHours: 13 }],
    ['autoResync.fromHour', { autoResync: { fromHour: 24, toHour: 3 } }],
    ['autoResync.toHour', { autoResync: { fromHour: 3, toHour: 25 } }],
    ['autoResync.toHour', { autoResync: { fromHour: 3, toHour: 3 } }],
    ['failback.intervalSeconds', { failback: { intervalSeconds: 30 } }],
    ['failback.rpoThresholdSeconds', { failback: { intervalSeconds: 120, rpoThresholdSeconds: 60 } }],
  ])('%s out of range is refused with the range', async (field, values) => {
    const failure = server.client.call(contract.createPolicy, { body: { name: 'range', ...values } });
    await expect(failure).rejects.toMatchObject({
      code: 'DR_POLICY_OUT_OF_RANGE',
      body: { context: { field } },
    });
  });
});
