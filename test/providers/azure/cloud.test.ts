import { ComputeManagementClient } from '@azure/arm-compute';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../../domain/errors.ts';
import { Secret } from '../../../domain/ports.ts';
import type { BegunOperation, Cloud, RunScope } from '../../../domain/ports.ts';
import { createCloud } from '../../../providers/azure/cloud/cloud.ts';
import { startPracticeCloud } from './support/practice-cloud.ts';
import type { PracticeCloud } from './support/practice-cloud.ts';
import { DISK_BYTES, never, portal, prepareRuns, quiet, undisturb } from './support/runs.ts';
import type { Runs } from './support/runs.ts';

const failsWith = (code: ErrorCode) => expect.objectContaining({ code });

let practice: PracticeCloud;
let runs: Runs;
let cloud: Cloud;

beforeAll(async () => {
  practice = await startPracticeCloud();
  runs = await prepareRuns(practice);
  cloud = runs.cloud;
});

afterEach(async () => {
  await undisturb(practice);
});

afterAll(async () => {
  await practice.stop();
});

async function lastSequence(): Promise<number> {
  return (await practice.requestsSince(0)).at(-1)?.sequence ?? 0;
}

/** Through JSON, as a workflow's history keeps it. */
const remembered = (begun: BegunOperation) => JSON.parse(JSON.stringify(begun)) as BegunOperation;

describe('a run', () => {
  test('builds a machine from disks, begun here and awaited elsewhere, with one PUT each, and is gone after deletion', async () => {
    await practice.lab('POST', '/_lab/settings', { operationMs: 100 });
    const scope = runs.newScope();
    const since = await lastSequence();
    await cloud.ensureResourceGroup(scope);
    const begunDisks = [
      await cloud.beginDiskImport(scope, runs.diskOf('web-disk0')),
      await cloud.beginDiskImport(scope, runs.diskOf('web-disk1', false)),
    ];
    const begunNic = await cloud.beginNic(scope, { name: 'web-nic0', subnetId: practice.subnets.isolated });
    const diskIds: string[] = [];
    for (const begun of begunDisks) {
      const disk = await practice.cloud().awaitDisk(remembered(begun), quiet, never);
      expect(disk.bytes).toBe(DISK_BYTES);
      diskIds.push(disk.resourceId);
    }
    const nic = await practice.cloud().awaitNic(remembered(begunNic), quiet, never);
    expect(nic.privateIpAddress).toMatch(/^10\.99\.1\.\d+$/);
    const begunVm = await cloud.beginVm(scope, {
      name: 'web-test',
      size: 'Standard_D2s_v5',
      osType: 'Linux',
      diskIds,
      nicId: nic.resourceId,
    });
    let signsOfLife = 0;
    const vm = await practice.cloud().awaitVmRunning(remembered(begunVm), () => (signsOfLife += 1), never);
    expect(vm).toMatchObject({ provisioningState: 'Succeeded', powerState: 'running' });
    expect(signsOfLife).toBeGreaterThan(0);
    for (const begun of [...begunDisks, begunNic, begunVm]) {
      expect(begun.poller).toEqual(expect.any(String));
      expect(begun.poller).not.toMatch(/bearer|eyJ|sig=/i);
      expect(begun.poller).not.toContain(practice.clientSecret);
    }
    const puts = (await practice.requestsSince(since)).filter(({ method }) => method === 'PUT');
    expect(puts.map(({ path }) => path.split('/').at(-1))).toEqual([
      scope.resourceGroup,
      'web-disk0',
      'web-disk1',
      'web-nic0',
      'web-test',
    ]);
    await expect(cloud.listByRun(scope.runId)).resolves.toHaveLength(5);

    await runs.deleteGroup(scope);
    await expect(cloud.listByRun(scope.runId)).resolves.toEqual([]);
    await expect(cloud.vm(vm.resourceId)).resolves.toBeNull();
    await expect(cloud.beginDeleteResourceGroup(scope)).resolves.toMatchObject({ poller: null });
  });

  test('adopts what it made before a crash: no second PUT', async () => {
    const scope = await runs.newGroup();
    const request = await runs.vmRequest(scope);
    const first = await cloud.beginVm(scope, request);
    const since = await lastSequence();
    const again = await practice.cloud().beginVm(scope, request);
    expect(again).toEqual({ resourceId: first.resourceId, poller: null });
    await expect(practice.cloud().awaitVmRunning(again, quiet, never)).resolves.toMatchObject({
      powerState: 'running',
    });
    await expect(practice.cloud().beginVm(scope, request)).resolves.toEqual(again);
    expect(await practice.requestsSince(since)).toEqual([]);
    await runs.deleteGroup(scope);
  });

  test('a connection cut after the PUT was accepted leads to one resource', async () => {
    const scope = await runs.newGroup();
    await practice.lab('POST', '/_lab/faults', {
      method: 'PUT',
      path: '/disks/',
      resetConnection: true,
      count: 1,
    });
    const diskId = await runs.importDisk(scope);
    expect((await cloud.listByRun(scope.runId)).filter((id) => id.includes('/disks/'))).toEqual([diskId]);
    await runs.deleteGroup(scope);
  });

  test('a group whose deletion was accepted but not answered is gone, however often it is asked for', async () => {
    const scope = await runs.newGroup();
    await practice.lab('POST', '/_lab/faults', {
      method: 'DELETE',
      path: '/resourcegroups/',
      resetConnection: true,
    });
    await runs.deleteGroup(scope);
    expect(await cloud.resourceGroupExists(scope.resourceGroup)).toBe(false);
  });

  test('goes on over a restart of Azure: the operation is found again', async () => {
    await practice.lab('POST', '/_lab/settings', { importMs: 1_000 });
    const scope = await runs.newGroup();
    const begun = await cloud.beginDiskImport(scope, runs.diskOf('web-disk0'));
    await practice.killArm();
    await practice.restartArm();
    await practice.lab('POST', '/_lab/settings', { importMs: 0 });
    await expect(practice.cloud().awaitDisk(begun, quiet, never)).resolves.toMatchObject({
      bytes: DISK_BYTES,
    });
    await runs.deleteGroup(scope);
  });

  test('looks at the resource itself when Azure does not know the operation, or its state is spoilt', async () => {
    const scope = await runs.newGroup();
    const begun = await cloud.beginDiskImport(scope, runs.diskOf('web-disk0'));
    await practice.lab('POST', '/_lab/faults', {
      method: 'GET',
      path: '/operations/',
      status: 404,
      code: 'NotFound',
    });
    await expect(practice.cloud().awaitDisk(begun, quiet, never)).resolves.toMatchObject({
      bytes: DISK_BYTES,
    });
    const spoilt = [
      'not json',
      'null',
      JSON.stringify({ state: { status: 'failed', error: {} } }),
      (begun.poller ?? '').replaceAll('127.0.0.1', 'attacker.invalid'),
    ];
    for (const poller of spoilt) {
      const disk = await practice.cloud().awaitDisk({ ...begun, poller }, quiet, never);
      expect(disk.resourceId).toBe(begun.resourceId);
    }
    await runs.deleteGroup(scope);
  });

  test('makes again what failed, and says why it failed', async () => {
    const scope = await runs.newGroup();
    await practice.lab('POST', '/_lab/faults', {
      method: 'PUT',
      path: '/disks/',
      failOperation: { code: 'DiskImportFailed', message: 'The copy broke off.' },
    });
    const begun = await cloud.beginDiskImport(scope, runs.diskOf('web-disk0'));
    await expect(cloud.awaitDisk(begun, quiet, never)).rejects.toMatchObject({
      code: 'DR_AZURE_OPERATION_FAILED',
      context: { azureCode: 'DiskImportFailed', reason: 'The copy broke off.' },
    });
    await expect(cloud.awaitDisk({ ...begun, poller: null }, quiet, never)).rejects.toEqual(
      failsWith('DR_AZURE_OPERATION_FAILED'),
    );
    await expect(runs.importDisk(scope)).resolves.toBe(begun.resourceId);
    await runs.deleteGroup(scope);
  });

  test('starts a machine that was found off', async () => {
    const scope = await runs.newGroup();
    const begun = await cloud.beginVm(scope, await runs.vmRequest(scope));
    await cloud.awaitVmRunning(begun, quiet, never);
    await powerOff(begun.resourceId);
    await expect(cloud.vm(begun.resourceId)).resolves.toMatchObject({ powerState: 'stopped' });
    await expect(
      practice.cloud().awaitVmRunning({ ...begun, poller: null }, quiet, never),
    ).resolves.toMatchObject({
      powerState: 'running',
    });
    await runs.deleteGroup(scope);
  });

  test('an aborted wait ends with the reason of its caller and leaves the operation alone', async () => {
    await practice.lab('POST', '/_lab/settings', { importMs: 500 });
    const scope = await runs.newGroup();
    const begun = await cloud.beginDiskImport(scope, runs.diskOf('web-disk0'));
    const stop = new AbortController();
    const reason = new Error('worker shuts down');
    const waiting = cloud.awaitDisk(begun, () => stop.abort(reason), stop.signal);
    await expect(waiting).rejects.toBe(reason);
    await practice.lab('POST', '/_lab/settings', { importMs: 0 });
    await expect(cloud.awaitDisk(begun, quiet, never)).resolves.toMatchObject({ bytes: DISK_BYTES });
    await runs.deleteGroup(scope);
  });
});

/** What an operator could do in the portal. */
async function powerOff(vmId: string): Promise<void> {
  const client = new ComputeManagementClient(
    practice.credential(),
    practice.subscriptionId,
    portal(practice),
  );
  const [, , , , group = '', , , , name = ''] = vmId.split('/');
  await client.virtualMachines.powerOff(group, name, { updateIntervalInMs: 30 });
}

describe('what is not the run’s own', () => {
  test('is neither adopted, nor changed, nor deleted', async () => {
    const owner = await runs.newGroup();
    await runs.importDisk(owner);
    const stranger: RunScope = { ...runs.newScope(), resourceGroup: owner.resourceGroup };
    const since = await lastSequence();
    const attempts = [
      () => cloud.ensureResourceGroup(stranger),
      () => cloud.beginDiskImport(stranger, runs.diskOf('web-disk0')),
      () => cloud.beginDeleteResourceGroup(stranger),
      () => cloud.beginDeleteResourceGroup({ ...owner, mode: 'real' }),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toEqual(failsWith('DR_AZURE_NAME_TAKEN'));
    }
    expect(await practice.requestsSince(since)).toEqual([]);
    await runs.deleteGroup(owner);
  });

  test('the group of a real failover is not deleted as a drill', async () => {
    const real = await runs.newGroup('real');
    await expect(cloud.beginDeleteResourceGroup({ ...real, mode: 'test' })).rejects.toEqual(
      failsWith('DR_AZURE_NAME_TAKEN'),
    );
    await runs.deleteGroup(real);
  });
});

describe('refusals', () => {
  test('an exhausted quota names itself and its numbers', async () => {
    const scope = await runs.newGroup();
    const request = await runs.vmRequest(scope);
    await practice.lab('POST', '/_lab/settings', { quotas: { standardDSv5Family: 1 } });
    await expect(cloud.beginVm(scope, request)).rejects.toMatchObject({
      code: 'DR_AZURE_QUOTA',
      context: { quota: 'standardDSv5Family Cores', limit: '1', used: '0', needed: '2' },
    });
    await runs.deleteGroup(scope);
  });

  test('a size that is restricted or does not exist is unavailable', async () => {
    const scope = await runs.newGroup();
    const request = await runs.vmRequest(scope);
    for (const size of ['Standard_D16s_v5', 'Standard_Imaginary']) {
      await expect(cloud.beginVm(scope, { ...request, size })).rejects.toMatchObject({
        code: 'DR_AZURE_SIZE_UNAVAILABLE',
        context: { size, location: practice.location },
      });
    }
    await runs.deleteGroup(scope);
  });

  test('lost capacity shows when the operation fails, with the size in the message', async () => {
    const scope = await runs.newGroup();
    const request = await runs.vmRequest(scope);
    await practice.lab('POST', '/_lab/faults', {
      method: 'PUT',
      path: '/virtualMachines/',
      failOperation: { code: 'AllocationFailed', message: 'No capacity.' },
    });
    const begun = await cloud.beginVm(scope, request);
    await expect(cloud.awaitVmRunning(begun, quiet, never)).rejects.toMatchObject({
      code: 'DR_AZURE_SIZE_UNAVAILABLE',
      context: { size: 'Standard_D2s_v5' },
    });
    await expect(
      cloud.awaitVmRunning(await cloud.beginVm(scope, request), quiet, never),
    ).resolves.toMatchObject({ powerState: 'running' });
    await runs.deleteGroup(scope);
  });

  test('a taken address names its owner, an unknown subnet itself', async () => {
    const scope = await runs.newGroup();
    const subnetId = practice.subnets.isolated;
    const first = await cloud.beginNic(scope, { name: 'a', subnetId, privateIpAddress: '10.99.1.77' });
    await expect(cloud.awaitNic(first, quiet, never)).resolves.toMatchObject({
      privateIpAddress: '10.99.1.77',
    });
    await expect(
      cloud.beginNic(scope, { name: 'b', subnetId, privateIpAddress: '10.99.1.77' }),
    ).rejects.toMatchObject({
      code: 'DR_AZURE_ADDRESS_TAKEN',
      context: { address: '10.99.1.77', owner: expect.stringContaining('/networkInterfaces/a') },
    });
    const unknown = subnetId.replace('drill', 'nowhere');
    await expect(cloud.beginNic(scope, { name: 'b', subnetId: unknown })).rejects.toMatchObject({
      code: 'DR_AZURE_NETWORK_UNKNOWN',
      context: { subnet: unknown },
    });
    await runs.deleteGroup(scope);
  });

  test('a wrong client secret is refused and shows nowhere', async () => {
    const secret = 'wrong-secret-of-the-test';
    const stranger = practice.cloud({ credential: practice.credential(new Secret(secret)) });
    const error: unknown = await stranger.usages(practice.location).catch((thrown: unknown) => thrown);
    expect(error).toEqual(failsWith('DR_AZURE_REFUSED'));
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(secret);
  });

  test('an endpoint whose certificate is not trusted is not talked to', async () => {
    const { endpoint } = practice.trust;
    const trusting = createCloud({
      subscriptionId: practice.subscriptionId,
      credential: practice.credential(),
      endpoint,
    });
    await expect(trusting.usages(practice.location)).rejects.toEqual(failsWith('DR_AZURE_UNREACHABLE'));
  });
});
