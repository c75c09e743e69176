import { ComputeManagementClient } from '@azure/arm-compute';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../../domain/errors.ts';
import type { BegunOperation, Cloud, RunScope } from '../../../domain/ports.ts';
import { startPracticeCloud } from './support/practice-cloud.ts';
import type { PracticeCloud } from './support/practice-cloud.ts';
import { never, portal, prepareRuns, quiet, undisturb } from './support/runs.ts';
import type { Runs } from './support/runs.ts';

const failsWith = (code: ErrorCode) => expect.objectContaining({ code });
const remembered = (begun: BegunOperation) => JSON.parse(JSON.stringify(begun)) as BegunOperation;

let practice: PracticeCloud;
let runs: Runs;
let cloud: Cloud;
let compute: ComputeManagementClient;
let scope: RunScope;
let vmId: string;

beforeAll(async () => {
  practice = await startPracticeCloud();
  runs = await prepareRuns(practice);
  cloud = runs.cloud;
  compute = new ComputeManagementClient(practice.credential(), practice.subscriptionId, portal(practice));
});

beforeEach(async () => {
  scope = await runs.newGroup('real');
  const begun = await cloud.beginVm(scope, await runs.vmRequest(scope));
  vmId = (await cloud.awaitVmRunning(begun, quiet, never)).resourceId;
});

afterEach(async () => {
  await undisturb(practice);
  await practice.lab('POST', '/_lab/settings', { vmStartMs: 0 });
  await runs.deleteGroup(scope);
});

afterAll(async () => {
  await practice.stop();
});

async function lastSequence(): Promise<number> {
  return (await practice.requestsSince(0)).at(-1)?.sequence ?? 0;
}

describe('a machine of the run', () => {
  test('is stopped and started again, begun here and awaited elsewhere, with one request each', async () => {
    await practice.lab('POST', '/_lab/settings', { vmStartMs: 100 });
    const since = await lastSequence();
    const stopping = await cloud.beginDeallocate(scope, vmId);
    expect(stopping.poller).toEqual(expect.any(String));
    await expect(
      practice.cloud().awaitDeallocated(remembered(stopping), quiet, never),
    ).resolves.toMatchObject({
      resourceId: vmId,
      powerState: 'deallocated',
    });
    await expect(cloud.beginDeallocate(scope, vmId)).resolves.toEqual({ resourceId: vmId, poller: null });
    const starting = await cloud.beginStart(scope, vmId);
    expect(starting.poller).toEqual(expect.any(String));
    await expect(practice.cloud().awaitVmRunning(remembered(starting), quiet, never)).resolves.toMatchObject({
      powerState: 'running',
    });
    await expect(cloud.beginStart(scope, vmId)).resolves.toEqual({ resourceId: vmId, poller: null });
    const requests = await practice.requestsSince(since);
    expect(requests.map(({ path }) => path.split('/').at(-1))).toEqual(['deallocate', 'start']);
  });

  test('is stopped though Azure went away in the middle', async () => {
    await practice.lab('POST', '/_lab/settings', { vmStartMs: 300 });
    const begun = await cloud.beginDeallocate(scope, vmId);
    await practice.killArm();
    await practice.restartArm();
    const again = await practice.cloud().beginDeallocate(scope, vmId);
    for (const each of [begun, again]) {
      await expect(practice.cloud().awaitDeallocated(remembered(each), quiet, never)).resolves.toMatchObject({
        powerState: 'deallocated',
      });
    }
  });

  test('that was started behind our back is stopped once more', async () => {
    const begun = await cloud.beginDeallocate(scope, vmId);
    await cloud.awaitDeallocated(begun, quiet, never);
    await compute.virtualMachines.start(scope.resourceGroup, 'web', { updateIntervalInMs: 30 });
    await expect(practice.cloud().awaitDeallocated(begun, quiet, never)).resolves.toMatchObject({
      powerState: 'deallocated',
    });
  });

  test('that is gone cannot be proven stopped', async () => {
    await compute.virtualMachines.delete(scope.resourceGroup, 'web', { updateIntervalInMs: 30 });
    const begun = await cloud.beginDeallocate(scope, vmId);
    expect(begun).toEqual({ resourceId: vmId, poller: null });
    await expect(cloud.awaitDeallocated(begun, quiet, never)).rejects.toEqual(
      failsWith('DR_AZURE_OPERATION_FAILED'),
    );
  });

  test('is not stopped or started for another run', async () => {
    const stranger = { ...runs.newScope('real'), resourceGroup: scope.resourceGroup };
    const since = await lastSequence();
    await expect(cloud.beginDeallocate(stranger, vmId)).rejects.toEqual(failsWith('DR_AZURE_NAME_TAKEN'));
    await expect(cloud.beginStart(stranger, vmId)).rejects.toEqual(failsWith('DR_AZURE_NAME_TAKEN'));
    expect(await practice.requestsSince(since)).toEqual([]);
  });
});

describe('placement', () => {
  const tags = { team: 'web', 'Switchback-Run': 'another', 'switchback-mode': 'real' };
  const groupOf = (id: string) => id.split('/')[4] ?? '';

  test('disk type, zone and the operator’s tags arrive; the run’s own tags cannot be replaced', async () => {
    const placed = await runs.newGroup('test');
    const ofRun = {
      'switchback-run': placed.runId,
      'switchback-item': placed.itemId,
      'switchback-mode': 'test',
    };
    const request = { ...runs.diskOf('web-disk0'), diskType: 'Premium_LRS', zone: '2', tags } as const;
    const disk = await cloud.awaitDisk(await cloud.beginDiskImport(placed, request), quiet, never);
    const found = await compute.disks.get(placed.resourceGroup, 'web-disk0');
    expect(found).toMatchObject({ sku: { name: 'Premium_LRS' }, zones: ['2'] });
    expect(found.tags).toEqual({ team: 'web', ...ofRun });
    const nicId = await runs.createNic(placed);
    const begun = await cloud.beginVm(placed, {
      name: 'web',
      size: 'Standard_D2s_v5',
      osType: 'Linux',
      diskIds: [disk.resourceId],
      nicId,
      zone: '2',
      tags,
    });
    await cloud.awaitVmRunning(begun, quiet, never);
    const vm = await compute.virtualMachines.get(placed.resourceGroup, 'web');
    expect(vm).toMatchObject({ zones: ['2'], tags: { team: 'web', ...ofRun } });
    expect(Object.keys(vm.tags ?? {})).toHaveLength(4);
    await runs.deleteGroup(placed);
  });

  test('a disk without wishes is standard and in no zone', async () => {
    const { zones, sku } = await compute.disks.get(scope.resourceGroup, 'web-disk0');
    expect({ zones, type: sku?.name }).toEqual({ zones: undefined, type: 'Standard_LRS' });
  });

  test('an availability set is looked at, and takes the machine in', async () => {
    const placed = await runs.newGroup('test');
    const { id = '' } = await compute.availabilitySets.createOrUpdate(placed.resourceGroup, 'pair', {
      location: practice.location,
      sku: { name: 'Aligned' },
      platformFaultDomainCount: 2,
    });
    const empty = await cloud.availabilitySet(id);
    expect(empty).toMatchObject({ location: practice.location, vmIds: [] });
    expect(empty.vmSizes).toContain('Standard_D2s_v5');
    const request = { ...(await runs.vmRequest(placed)), availabilitySetId: id };
    const vm = await cloud.awaitVmRunning(await cloud.beginVm(placed, request), quiet, never);
    await expect(cloud.availabilitySet(id)).resolves.toMatchObject({
      vmIds: [expect.stringMatching(new RegExp(`^${vm.resourceId}$`, 'i'))],
    });
    await runs.deleteGroup(placed);
    const unknown = [
      id,
      id.replace(/^\/subscriptions\/[^/]+/, '/subscriptions/00000000-0000-0000-0000-000000000000'),
      vmId,
      'pair',
      groupOf(id),
    ];
    for (const each of unknown) {
      await expect(cloud.availabilitySet(each)).rejects.toEqual(
        failsWith('DR_AZURE_AVAILABILITY_SET_UNKNOWN'),
      );
    }
  });
});
