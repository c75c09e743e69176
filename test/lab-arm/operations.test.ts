import { createHash, randomBytes } from 'node:crypto';
import { restorePoller } from '@azure/arm-compute';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MiB } from '../../domain/units.ts';
import type { LoggedRequest } from '../../lab/arm/requests.ts';
import { waitFor } from '../../lab/wait.ts';
import { makeMachine } from './support/machine.ts';
import { codeOf, makeVhd, quick, startRig } from './support/rig.ts';
import type { Rig } from './support/rig.ts';

const GROUP = 'operations';
let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
  await rig.clients.resources.resourceGroups.createOrUpdate(GROUP, { location: rig.facts.location });
});
afterAll(() => rig.close());

test('a serialized import is awaited by another client with one PUT on the wire', async () => {
  const blob = await makeVhd(rig, 'resume.vhd', 20, [{ offset: 0, bytes: randomBytes(MiB) }]);
  const name = 'resumed';
  await rig.lab('POST', '/settings', { importMs: 300 });
  const poller = rig.clients.compute.disks.createOrUpdate(GROUP, name, importOf(blob.url), quick);
  await poller.submitted();
  const state = await poller.serialize();
  const { compute } = rig.freshClients();
  const disk = await restorePoller(compute, state, compute.disks.createOrUpdate, quick).pollUntilDone();
  await rig.lab('POST', '/settings', { importMs: 0 });
  expect(disk).toMatchObject({ name, provisioningState: 'Succeeded' });
  expect(await putsOf(name)).toHaveLength(1);
});

test('a kill in the middle of an import changes nothing but the time it takes', async () => {
  const blob = await makeVhd(rig, 'kill.vhd', 48, [
    { offset: 0, bytes: randomBytes(2 * MiB) },
    { offset: 47 * MiB, bytes: randomBytes(MiB) },
  ]);
  await rig.lab('POST', '/settings', { importMs: 5_000 });
  const poller = rig.clients.compute.disks.createOrUpdate(GROUP, 'killed', importOf(blob.url), quick);
  await poller.submitted();
  const state = await poller.serialize();
  await rig.killAndRestart();
  const { compute } = rig.freshClients();
  const during = await compute.disks.get(GROUP, 'killed');
  expect(during.provisioningState).toBe('Creating');
  const disk = await restorePoller(compute, state, compute.disks.createOrUpdate, quick).pollUntilDone();
  await rig.lab('POST', '/settings', { importMs: 0 });
  expect(disk.provisioningState).toBe('Succeeded');
  const disks = await rig.lab<{ id: string; name: string }[]>('GET', '/disks');
  expect(disks.filter(({ name }) => name === 'killed')).toHaveLength(1);
  const hash = await rig.lab<{ blocks: string[]; sha256: string }>('GET', `/disks/hash?id=${disk.id ?? ''}`);
  const expected = createHash('sha256').update(await blob.downloadToBuffer(0, 48 * MiB));
  expect(hash.sha256).toBe(expected.digest('hex'));
  expect(await putsOf('killed')).toHaveLength(1);
});

test('a repeated PUT is answered as done, a different source is refused, other changes are taken', async () => {
  const { compute } = rig.clients;
  const blob = await makeVhd(rig, 'same.vhd', 20, []);
  const other = await makeVhd(rig, 'other.vhd', 20, []);
  const first = await compute.disks.createOrUpdate(GROUP, 'same', importOf(blob.url), quick);
  const again = await compute.disks.createOrUpdate(GROUP, 'SAME', importOf(blob.url), quick);
  expect(again.uniqueId).toBe(first.uniqueId);
  const changed = compute.disks.createOrUpdate(GROUP, 'same', importOf(other.url), quick);
  expect(await codeOf(changed)).toBe('PropertyChangeNotAllowed');
  const tagged = { ...importOf(blob.url), tags: { a: 'b' } };
  const updated = await compute.disks.createOrUpdate(GROUP, 'same', tagged, quick);
  expect(updated).toMatchObject({ uniqueId: first.uniqueId, tags: { a: 'b' } });
});

test('a stuck operation does not end by itself, a deletion of its group ends it', async () => {
  const { compute, resources } = rig.clients;
  const { location } = rig.facts;
  await resources.resourceGroups.createOrUpdate('stuck', { location });
  const blob = await makeVhd(rig, 'stuck.vhd', 20, []);
  await rig.lab('POST', '/faults', { method: 'PUT', path: '/disks/stuck', stuckMs: 3_600_000 });
  const poller = compute.disks.createOrUpdate('stuck', 'stuck', importOf(blob.url), quick);
  await poller.submitted();
  await poller.poll();
  expect(poller.isDone).toBe(false);
  await resources.resourceGroups.delete('stuck', quick);
  const left = await rig.lab<{ id: string }[]>('GET', '/resources');
  expect(left.filter(({ id }) => id.includes('/stuck'))).toEqual([]);
});

test('a fault is withdrawn by its name, with how often it was still to strike', async () => {
  const { resourceGroups } = rig.clients.resources;
  const fault = {
    method: 'GET',
    path: '/resourcegroups/counted',
    status: 404,
    code: 'ResourceGroupNotFound',
  };
  await rig.lab('POST', '/faults', { name: 'mine', ...fault, count: 3 });
  await rig.lab('POST', '/faults', { name: 'other', path: '/nowhere' });
  expect(await codeOf(resourceGroups.get('counted'))).toBe('ResourceGroupNotFound');
  expect(await rig.lab('DELETE', '/faults?name=mine')).toMatchObject([{ name: 'mine', count: 2 }]);
  expect(await rig.lab('DELETE', '/faults?name=mine')).toEqual([]);
  expect(await rig.lab('GET', '/faults')).toMatchObject([{ name: 'other' }]);
  await rig.lab('DELETE', '/faults');
});

test('the answer lost after a PUT is repeated by the client and makes one disk', async () => {
  const blob = await makeVhd(rig, 'lost.vhd', 20, []);
  await rig.lab('POST', '/faults', { method: 'PUT', path: '/disks/lost', resetConnection: true });
  const disk = await rig.clients.compute.disks.createOrUpdate(GROUP, 'lost', importOf(blob.url), quick);
  expect(disk.provisioningState).toBe('Succeeded');
  const puts = await putsOf('lost');
  expect(puts.map(({ isReset }) => isReset)).toEqual([true, false]);
  expect(new Set(puts.map(({ bodySha256 }) => bodySha256)).size).toBe(1);
});

test('faults answer, delay, skip, count and let operations fail', async () => {
  const { compute } = rig.clients;
  const blob = await makeVhd(rig, 'fault.vhd', 20, []);
  const put = () => codeOf(compute.disks.createOrUpdate(GROUP, 'faulty', importOf(blob.url), quick));
  await rig.lab('POST', '/faults', {
    method: 'PUT',
    path: '/disks/faulty',
    status: 403,
    code: 'AuthorizationFailed',
    skip: 1,
  });
  await rig.lab('POST', '/faults', {
    method: 'PUT',
    path: '/disks/faulty',
    delayMs: 20,
    failOperation: { code: 'AllocationFailed', message: 'no room' },
  });
  expect(await put()).toBe('AllocationFailed');
  expect((await compute.disks.get(GROUP, 'faulty')).provisioningState).toBe('Failed');
  expect(await put()).toBe('AuthorizationFailed');
  expect(await put()).toBe('it succeeded');
  await rig.lab('POST', '/faults', { path: '/disks/faulty', status: 404, code: 'NotFound', count: 9 });
  expect(await codeOf(compute.disks.get(GROUP, 'faulty'))).toBe('NotFound');
  await rig.lab('DELETE', '/faults');
  expect(await codeOf(compute.disks.get(GROUP, 'faulty'))).toBe('it succeeded');
});

test('a group under deletion refuses writes, cancels what runs in it, and ends with nothing left', async () => {
  const { compute, resources } = rig.clients;
  const { location } = rig.facts;
  const blob = await makeVhd(rig, 'doomed.vhd', 20, []);
  await resources.resourceGroups.createOrUpdate('doomed', { location });
  await rig.lab('POST', '/settings', { importMs: 60_000, deleteMs: 300 });
  const importing = compute.disks.createOrUpdate('doomed', 'slow', importOf(blob.url), quick);
  await importing.submitted();
  const deletion = resources.resourceGroups.delete('doomed', quick);
  await deletion.submitted();
  const late = compute.disks.createOrUpdate('doomed', 'late', importOf(blob.url), quick);
  expect(await codeOf(late)).toBe('ResourceGroupBeingDeleted');
  expect(await codeOf(resources.resourceGroups.createOrUpdate('doomed', { location }))).toBe(
    'ResourceGroupBeingDeleted',
  );
  await expect(importing.pollUntilDone()).rejects.toThrow('Operation was canceled');
  await deletion.pollUntilDone();
  await rig.lab('POST', '/settings', { importMs: 0, deleteMs: 0 });
  const left = await rig.lab<{ id: string }[]>('GET', '/resources');
  expect(left.filter(({ id }) => id.includes('/doomed'))).toEqual([]);
});

test('operations are polled by the rules: 202 until done, then 200; absent things are deleted with 204', async () => {
  const { token } = await rig.clients.credential.getToken('https://management.azure.com/.default');
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const root = `/subscriptions/${rig.facts.subscriptionId}/resourceGroups/${GROUP}`;
  const disk = `${root}/providers/Microsoft.Compute/disks`;
  await rig.lab('POST', '/settings', { importMs: 300, retryAfterSeconds: 1 });
  const body = {
    location: rig.facts.location,
    properties: { creationData: { createOption: 'Empty' }, diskSizeGB: 1 },
  };
  const put = await rig.raw('PUT', `${disk}/polled?api-version=2026-03-02`, { headers, body });
  expect(put.status).toBe(202);
  expect(put.headers['retry-after']).toBe('1');
  const asyncUrl = String(put.headers['azure-asyncoperation']);
  const location = String(put.headers.location);
  expect((await rig.raw('GET', location, { headers })).status).toBe(202);
  expect(JSON.parse((await rig.raw('GET', asyncUrl, { headers })).text)).toMatchObject({
    status: 'InProgress',
  });
  const done = await waitFor(
    async () => {
      const { text } = await rig.raw('GET', asyncUrl, { headers });
      return JSON.parse(text).status === 'Succeeded';
    },
    { what: 'the operation', withinMs: 10_000 },
  );
  expect(done).toBe(true);
  expect(await rig.raw('GET', location, { headers })).toMatchObject({ status: 200, text: '' });
  await rig.lab('POST', '/settings', { importMs: 0, retryAfterSeconds: 0 });
  expect((await rig.raw('DELETE', `${disk}/absent?api-version=1`, { headers })).status).toBe(204);
  const withoutVersion = await rig.raw('GET', `${disk}/polled`, { headers });
  expect(withoutVersion.status).toBe(400);
  expect(JSON.parse(withoutVersion.text)).toMatchObject({ error: { code: 'MissingApiVersionParameter' } });
});

test('every operation of the way home can be begun by one client and awaited by another', async () => {
  const { group, vm, diskIds } = await makeMachine(rig, { group: 'begun' });
  const { compute } = rig.clients;
  const later = rig.freshClients().compute;
  await rig.lab('POST', '/settings', { operationMs: 100, deleteMs: 100 });
  const stopping = compute.virtualMachines.deallocate(group, vm, quick);
  await stopping.submitted();
  expect(await powerOf()).toBe('PowerState/deallocating');
  const state = await stopping.serialize();
  await restorePoller(later, state, later.virtualMachines.deallocate, quick).pollUntilDone();
  expect(await powerOf()).toBe('PowerState/deallocated');
  await (await compute.virtualMachines.beginStart(group, vm, quick)).pollUntilDone();
  expect(await powerOf()).toBe('PowerState/running');
  await (await compute.virtualMachines.beginPowerOff(group, vm, quick)).pollUntilDone();
  expect(await powerOf()).toBe('PowerState/stopped');

  const creationData = { createOption: 'Copy', sourceResourceId: diskIds[0] ?? '' };
  const body = { location: rig.facts.location, incremental: true, creationData };
  await compute.snapshots.beginCreateOrUpdateAndWait(group, 'snapshot', body, quick);
  const grant = { access: 'Read', durationInSeconds: 60 };
  const { accessSAS } = await compute.snapshots.beginGrantAccessAndWait(group, 'snapshot', grant, quick);
  expect(accessSAS).toMatch(/^https:\/\/.*\/md-/);
  await compute.snapshots.beginRevokeAccessAndWait(group, 'snapshot', quick);
  await compute.snapshots.beginDeleteAndWait(group, 'snapshot', quick);
  await compute.virtualMachines.beginDeleteAndWait(group, vm, quick);
  await compute.disks.beginDeleteAndWait(group, 'vm-disk0', quick);
  await rig.lab('POST', '/settings', { operationMs: 0, deleteMs: 0 });
  const left = await rig.lab<{ id: string }[]>('GET', '/disks');
  expect(left.filter(({ id }) => id.includes('/begun/'))).toEqual([]);

  async function powerOf(): Promise<string | undefined> {
    const { statuses = [] } = await compute.virtualMachines.instanceView(group, vm);
    return statuses.map(({ code }) => code).find((code) => code?.startsWith('PowerState/'));
  }
});

function importOf(sourceUri: string) {
  return { location: rig.facts.location, creationData: { createOption: 'Import' as const, sourceUri } };
}

async function putsOf(name: string): Promise<LoggedRequest[]> {
  const requests = await rig.lab<LoggedRequest[]>('GET', '/requests?since=0');
  return requests.filter(({ method, path }) => method === 'PUT' && path.endsWith(`/disks/${name}`));
}
