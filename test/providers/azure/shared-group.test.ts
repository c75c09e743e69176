import { ResourceManagementClient } from '@azure/arm-resources';
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
let resources: ResourceManagementClient;
let counter = 0;
let resourceGroup: string;

beforeAll(async () => {
  practice = await startPracticeCloud();
  runs = await prepareRuns(practice);
  cloud = runs.cloud;
  resources = new ResourceManagementClient(practice.credential(), practice.subscriptionId, portal(practice));
});

beforeEach(async () => {
  counter += 1;
  resourceGroup = `operators-own-${counter}`;
  await resources.resourceGroups.createOrUpdate(resourceGroup, {
    location: practice.location,
    tags: { team: 'web' },
  });
});

afterEach(async () => {
  await undisturb(practice);
  await practice.lab('POST', '/_lab/settings', { deleteMs: 0 });
});

afterAll(async () => {
  await practice.stop();
});

const newScope = (): RunScope => ({ ...runs.newScope(), resourceGroup, sharedGroup: true });
const without = (id: string) => id.split('/').slice(-2).join('/');

async function lastSequence(): Promise<number> {
  return (await practice.requestsSince(0)).at(-1)?.sequence ?? 0;
}

async function deletionsSince(sequence: number): Promise<string[]> {
  const requests = await practice.requestsSince(sequence);
  return requests.filter(({ method }) => method === 'DELETE').map(({ path }) => without(path));
}

async function idsInGroup(): Promise<string[]> {
  const found: string[] = [];
  for await (const { id = '' } of resources.resources.listByResourceGroup(resourceGroup))
    found.push(without(id));
  return found.toSorted();
}

/** A machine that runs, and a snapshot of its disk that somebody still reads. */
async function build(scope: RunScope): Promise<{ readonly vmId: string; readonly diskId: string }> {
  await cloud.ensureResourceGroup(scope);
  const request = await runs.vmRequest(scope);
  const { resourceId: vmId } = await cloud.awaitVmRunning(await cloud.beginVm(scope, request), quiet, never);
  const diskId = request.diskIds[0] ?? '';
  const begun = await cloud.beginSnapshot(scope, { name: 'web-disk0-s1', diskId });
  const { resourceId } = await cloud.awaitSnapshot(begun, quiet, never);
  await practice.cloud().openSnapshot(resourceId, null, never);
  return { vmId, diskId };
}

async function importAs(scope: RunScope, name: string): Promise<void> {
  const begun = await cloud.beginDiskImport(scope, runs.diskOf(name, false));
  await cloud.awaitDisk(begun, quiet, never);
}

describe('in a group of the operator’s own', () => {
  test('a run makes and tags no group, and wants one that exists', async () => {
    const scope = newScope();
    const since = await lastSequence();
    await cloud.ensureResourceGroup(scope);
    await expect(cloud.resourceGroupExists(resourceGroup)).resolves.toBe(true);
    await expect(cloud.resourceGroupExists('nowhere')).resolves.toBe(false);
    await expect(cloud.ensureResourceGroup({ ...scope, resourceGroup: 'nowhere' })).rejects.toEqual(
      failsWith('DR_AZURE_GROUP_UNKNOWN'),
    );
    expect(await practice.requestsSince(since)).toEqual([]);
    await expect(resources.resourceGroups.get(resourceGroup)).resolves.toMatchObject({
      tags: { team: 'web' },
    });
    await runs.deleteGroup(scope);
    await expect(cloud.resourceGroupExists(resourceGroup)).resolves.toBe(true);
    await expect(
      cloud.beginDeleteResourceGroup({ ...scope, resourceGroup: 'nowhere' }),
    ).resolves.toMatchObject({ poller: null });
  });

  test('only what the run made is removed, in order, begun here and awaited elsewhere', async () => {
    const scope = newScope();
    await build(scope);
    await importAs({ ...runs.newScope(), resourceGroup }, 'of-another-run');
    const begun = await cloud.beginDeleteResourceGroup(scope);
    const since = await lastSequence();
    let signsOfLife = 0;
    await practice.cloud().awaitDeleted(remembered(begun), () => (signsOfLife += 1), never);
    expect(signsOfLife).toBeGreaterThan(0);
    expect(await deletionsSince(since)).toEqual([
      'virtualMachines/web',
      'networkInterfaces/web-nic0',
      'disks/web-disk0',
      'snapshots/web-disk0-s1',
    ]);
    expect(await idsInGroup()).toEqual(['disks/of-another-run']);
    await expect(cloud.listByRun(scope.runId)).resolves.toEqual([]);
    await expect(resources.resourceGroups.get(resourceGroup)).resolves.toMatchObject({
      tags: { team: 'web' },
    });
    await runs.deleteGroup(scope);
    await cloud.awaitDeleted(remembered(begun), quiet, never);
    expect(await deletionsSince(since)).toHaveLength(4);
  });

  test('removal that was killed half-way, Azure’s end or ours, is taken up by another client', async () => {
    const scope = newScope();
    await build(scope);
    const begun = await cloud.beginDeleteResourceGroup(scope);
    await practice.lab('POST', '/_lab/settings', { deleteMs: 200 });
    const killed = new AbortController();
    const reason = new Error('killed');
    const first = practice.cloud().awaitDeleted(remembered(begun), () => killed.abort(reason), killed.signal);
    await expect(first).rejects.toBe(reason);
    await practice.killArm();
    await practice.restartArm();
    await practice.cloud().awaitDeleted(remembered(begun), quiet, never);
    expect(await idsInGroup()).toEqual([]);
    await expect(cloud.listByRun(scope.runId)).resolves.toEqual([]);
  });

  test('what lost the run’s tag stays, and what is of its other mode stops the removal before it begins', async () => {
    const scope = newScope();
    await cloud.ensureResourceGroup(scope);
    await importAs(scope, 'kept');
    await importAs(scope, 'removed');
    const since = await lastSequence();
    await expect(cloud.beginDeleteResourceGroup({ ...scope, mode: 'real' })).rejects.toEqual(
      failsWith('DR_AZURE_NAME_TAKEN'),
    );
    const begun = await cloud.beginDeleteResourceGroup(scope);
    expect(await practice.requestsSince(since)).toEqual([]);
    const kept = (await cloud.listByRun(scope.runId)).find((id) => id.endsWith('/kept')) ?? '';
    await resources.tagsOperations.createOrUpdateAtScope(kept, { properties: { tags: { owner: 'me' } } });
    await cloud.awaitDeleted(begun, quiet, never);
    expect(await idsInGroup()).toEqual(['disks/kept']);
  });

  test('a begun removal that names no run removes nothing', async () => {
    const scope = newScope();
    await cloud.ensureResourceGroup(scope);
    await importAs(scope, 'web-disk0');
    const begun = await cloud.beginDeleteResourceGroup(scope);
    for (const poller of ['{"removalByTag":{}}', '{"removalByTag":{"runId":"","itemId":"","mode":"test"}}']) {
      await expect(cloud.awaitDeleted({ ...begun, poller }, quiet, never)).rejects.toEqual(
        failsWith('DR_AZURE_OPERATION_FAILED'),
      );
    }
    expect(await idsInGroup()).toEqual(['disks/web-disk0']);
  });

  test('a resource that Azure does not let go of ends the removal with its reason, and the rest stays listed', async () => {
    const scope = newScope();
    await build(scope);
    const begun = await cloud.beginDeleteResourceGroup(scope);
    await practice.lab('POST', '/_lab/faults', {
      method: 'DELETE',
      path: '/networkInterfaces/',
      status: 409,
      code: 'ScopeLocked',
    });
    await expect(cloud.awaitDeleted(begun, quiet, never)).rejects.toEqual(failsWith('DR_AZURE_REFUSED'));
    expect(await idsInGroup()).toEqual([
      'disks/web-disk0',
      'networkInterfaces/web-nic0',
      'snapshots/web-disk0-s1',
    ]);
    await practice.cloud().awaitDeleted(begun, quiet, never);
    expect(await idsInGroup()).toEqual([]);
  });
});
