/** Nobody can read an Azure snapshot any more once a pass has ended, however it ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { ComputeManagementClient } from '@azure/arm-compute';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { runReverseDelta, runReverseFinal } from '../../activities/home/reverse-copy.ts';
import type { HomeWay } from '../../workflows/contracts/home.ts';
import { portal } from '../providers/azure/support/runs.ts';
import { codeOf } from '../providers/vsphere/practice-vcenter.ts';
import { endedAfterBarrier } from './support/barrier-hold.ts';
import { startHomeRig, type FailedOver, type HomeRig } from './support/home-rig.ts';
import { inActivity } from './support/in-activity.ts';
import { at, hooks } from './support/replication-rig.ts';

let home: HomeRig;
let out: FailedOver;
let way: HomeWay;
let compute: ComputeManagementClient;
let epoch = 2 ** 30;

beforeAll(async () => {
  home = await startHomeRig([{ name: 'read', poweredOn: true, disks: [{ mib: 16 }] }]);
  out = await home.failedOver('read');
  ({ way } = await out.reprotect());
  const { azure } = home;
  compute = new ComputeManagementClient(azure.credential(), azure.subscriptionId, portal(azure));
});
afterEach(() => home.azure.lab('DELETE', '/_lab/faults'));
afterAll(() => home.stop());

/** Names of the snapshots that somebody may read. */
async function readable(): Promise<string[]> {
  const all = await Array.fromAsync(compute.snapshots.listByResourceGroup(way.azure.resourceGroup));
  return all.flatMap(({ name = '', diskState }) => (diskState === 'ActiveSAS' ? [name] : []));
}

/** A delta of an attempt of its own, of a block that the guest wrote. */
async function delta(controller = new AbortController(), ports = home.reversePorts) {
  epoch += 1;
  await out.writeInAzure(at(2));
  return runReverseDelta(ports, { way, epoch }, hooks(controller));
}

test('after a copy and a delta that succeeded', async () => {
  expect(await readable()).toEqual([]);
  await delta();
  expect(await readable()).toEqual([]);
});

test('after a delta that failed while it read, and after one that failed while it opened', async () => {
  const fault = { method: 'GET', path: '^/md-', status: 403, count: 1_000 };
  await home.azure.lab('POST', '/_lab/faults', fault);
  await expect(codeOf(delta())).resolves.toBe('DR_AZURE_REFUSED');
  expect(await readable()).toEqual([]);
  await home.azure.lab('DELETE', '/_lab/faults');
  const refusal = { method: 'POST', path: '/beginGetAccess', status: 403, code: 'AuthorizationFailed' };
  await home.azure.lab('POST', '/_lab/faults', { ...refusal, skip: 1 });
  await expect(codeOf(delta())).resolves.toBe('DR_AZURE_REFUSED');
  expect(await readable()).toEqual([]);
});

test('after a delta that was cancelled', async () => {
  const controller = new AbortController();
  const ports = endedAfterBarrier(home.reversePorts, controller);
  epoch += 1;
  await out.writeInAzure(at(2));
  const pass = runReverseFinal(ports, { way, epoch, windowBytes: 512 }, hooks(controller));
  await expect(pass).rejects.toThrow('ended by the test');
  expect(await readable()).toEqual([]);
});

test('after a delta whose grant Azure would not take back: that one fails, the next one takes it back', async () => {
  const fault = { method: 'POST', path: '/endGetAccess', status: 403, code: 'AuthorizationFailed', count: 2 };
  await home.azure.lab('POST', '/_lab/faults', fault);
  await expect(codeOf(delta())).resolves.toBe('DR_AZURE_REFUSED');
  expect(await readable()).not.toEqual([]);
  await home.azure.lab('DELETE', '/_lab/faults');
  await delta();
  expect(await readable()).toEqual([]);
});

test('after kill -9 of whoever read, once the next delta has run, however many were killed', async () => {
  for (let killed = 0; killed < 3; killed += 1) {
    const { disks } = await delta();
    await killWhileReading(disks[0]?.changeId ?? '');
  }
  // Each delta has ended what the kill before it left.
  expect(await readable()).toHaveLength(1);
  await delta();
  expect(await readable()).toEqual([]);
});

test('after kill -9 and no further attempt: what removes the snapshots ends the grant on the one that stays', async () => {
  const [baseline = ''] = way.azure.baselineSnapshotIds;
  await killWhileReading(baseline);
  expect(await readable()).toHaveLength(1);
  await inActivity(() => home.activities.homeAzure.deleteReverseSnapshots({ way }));
  expect(await readable()).toEqual([]);
});

/** Another process opens the snapshot, and is killed while it has it open. */
async function killWhileReading(snapshotId: string): Promise<void> {
  const { azure } = home;
  const token = await azure.credential().getToken('https://management.azure.com/.default');
  const script = path.resolve('test/activities/support/reader-process.ts');
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const { subscriptionId, trust } = azure;
  child.stdin.end(JSON.stringify({ subscriptionId, ...trust, token: token?.token, snapshotId }));
  const exited = once(child, 'exit');
  try {
    const [said] = (await Promise.race([once(child.stdout, 'data'), exited])) as [unknown];
    expect(String(said)).toBe('open\n');
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}
