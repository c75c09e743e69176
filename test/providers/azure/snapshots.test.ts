import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { ComputeManagementClient } from '@azure/arm-compute';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ErrorCode } from '../../../domain/errors.ts';
import { totalBytes } from '../../../domain/extents.ts';
import { azureNames } from '../../../domain/names.ts';
import type { AzureSnapshotSource, BegunOperation, Cloud, RunScope } from '../../../domain/ports.ts';
import type { Extent } from '../../../domain/replication.ts';
import { KiB, MiB } from '../../../domain/units.ts';
import { waitFor } from '../../../lab/wait.ts';
import { startPracticeCloud } from './support/practice-cloud.ts';
import type { PracticeCloud } from './support/practice-cloud.ts';
import { DISK_BYTES, never, portal, prepareRuns, quiet, undisturb } from './support/runs.ts';
import type { Runs } from './support/runs.ts';

const failsWith = (code: ErrorCode) => expect.objectContaining({ code });
const remembered = (begun: BegunOperation) => JSON.parse(JSON.stringify(begun)) as BegunOperation;

let practice: PracticeCloud;
let runs: Runs;
let cloud: Cloud;
let compute: ComputeManagementClient;
/** A run with a machine that runs, for tests that leave it running. */
let scope: RunScope;
let diskId: string;
let counter = 0;

beforeAll(async () => {
  practice = await startPracticeCloud();
  runs = await prepareRuns(practice);
  cloud = runs.cloud;
  compute = new ComputeManagementClient(practice.credential(), practice.subscriptionId, portal(practice));
  scope = await runs.newGroup('real');
  const request = await runs.vmRequest(scope);
  await cloud.awaitVmRunning(await cloud.beginVm(scope, request), quiet, never);
  diskId = request.diskIds[0] ?? '';
});

const opened: AzureSnapshotSource[] = [];

beforeEach(() => {
  counter += 100;
});

afterEach(async () => {
  await undisturb(practice);
  await Promise.all(opened.splice(0).map((source) => source.close()));
  for (const { resourceId } of await cloud.listSnapshots(scope)) await deleteSnapshot(resourceId);
});

afterAll(async () => {
  await practice.stop();
});

async function takeSnapshot(name = azureNames.snapshot('web', 0, (counter += 1))) {
  return cloud.awaitSnapshot(await cloud.beginSnapshot(scope, { name, diskId }), quiet, never);
}

async function deleteSnapshot(resourceId: string): Promise<void> {
  await cloud.awaitDeleted(await cloud.beginDeleteSnapshot(scope, resourceId), quiet, never);
}

async function open(id: string, previousId: string | null, by: Cloud = cloud): Promise<AzureSnapshotSource> {
  const source = await by.openSnapshot(id, previousId, never);
  opened.push(source);
  return source;
}

const guestWrites = (offset: number, length: number, seed = 7) =>
  practice.lab('POST', '/_lab/disks/write', { id: diskId, offset, length, seed });
const guestClears = (offset: number, length: number) =>
  practice.lab('POST', '/_lab/disks/clear', { id: diskId, offset, length });

async function changes(source: AzureSnapshotSource): Promise<Extent[]> {
  const found: Extent[] = [];
  for await (const extent of source.changedExtents(never)) found.push(extent);
  return found;
}

async function contentOf(source: AzureSnapshotSource): Promise<Buffer> {
  const bytes = Buffer.alloc(source.capacityBytes, 0xaa);
  await source.read(0, bytes, never);
  return bytes;
}

async function hashInAzure(id: string): Promise<string> {
  const answer = (await practice.lab('GET', `/_lab/disks/hash?id=${encodeURIComponent(id)}`)) as {
    readonly sha256: string;
  };
  return answer.sha256;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function stateOf(snapshotId: string): Promise<string | undefined> {
  const [, , , , group = '', , , , name = ''] = snapshotId.split('/');
  return (await compute.snapshots.get(group, name)).diskState;
}

async function revokeInPortal(snapshotId: string): Promise<void> {
  const [, , , , group = '', , , , name = ''] = snapshotId.split('/');
  await compute.snapshots.revokeAccess(group, name, { updateIntervalInMs: 30 });
}

describe('a snapshot', () => {
  test('is begun here and awaited elsewhere, is adopted by its name, and is gone after deletion', async () => {
    await practice.lab('POST', '/_lab/settings', { importMs: 100 });
    const request = { name: azureNames.snapshot('web', 0, 1), diskId };
    const begun = await cloud.beginSnapshot(scope, request);
    expect(begun.poller).toEqual(expect.any(String));
    await expect(practice.cloud().beginSnapshot(scope, request)).resolves.toEqual({ ...begun, poller: null });
    await practice.lab('POST', '/_lab/settings', { importMs: 0 });
    const made = await practice.cloud().awaitSnapshot(remembered(begun), quiet, never);
    const facts = await cloud.disk(diskId);
    expect(facts).toMatchObject({ bytes: DISK_BYTES, attachedTo: expect.stringMatching(/\/web$/) });
    expect(facts?.uniqueId).not.toBe('');
    expect(made).toMatchObject({ name: request.name, diskId, bytes: DISK_BYTES });
    expect(made.familyId).not.toBe('');
    expect(new Date(made.createdAt).toISOString()).toBe(made.createdAt);
    await expect(cloud.snapshot(made.resourceId)).resolves.toEqual(made);
    await expect(cloud.listSnapshots(scope)).resolves.toEqual([made]);

    const deletion = await cloud.beginDeleteSnapshot(scope, made.resourceId);
    await practice.cloud().awaitDeleted(remembered(deletion), quiet, never);
    await expect(cloud.snapshot(made.resourceId)).resolves.toBeNull();
    await expect(cloud.beginDeleteSnapshot(scope, made.resourceId)).resolves.toMatchObject({ poller: null });
  });

  test('that Azure still fills in the background is waited for', async () => {
    const made = compute.disks.createOrUpdate(
      scope.resourceGroup,
      'data-only',
      {
        location: practice.location,
        sku: { name: 'PremiumV2_LRS' },
        diskSizeGB: 1,
        creationData: { createOption: 'Empty' },
      },
      { updateIntervalInMs: 30 },
    );
    const { id = '' } = await made.pollUntilDone();
    await practice.lab('POST', '/_lab/settings', { snapshotCopyMs: 400 });
    const begun = await cloud.beginSnapshot(scope, { name: 'data-only-s1', diskId: id });
    const { resourceId } = await cloud.awaitSnapshot(begun, quiet, never);
    const source = await open(resourceId, null);
    expect(await changes(source)).toEqual([]);
    await source.close();
  });

  test('of another disk under the same name is not adopted, and that of another run is not deleted', async () => {
    const made = await takeSnapshot();
    const other = { name: made.name, diskId: diskId.replace('disk0', 'disk1') };
    await expect(cloud.beginSnapshot(scope, other)).rejects.toEqual(failsWith('DR_AZURE_NAME_TAKEN'));
    const stranger = { ...runs.newScope('real'), resourceGroup: scope.resourceGroup };
    await expect(cloud.beginDeleteSnapshot(stranger, made.resourceId)).rejects.toEqual(
      failsWith('DR_AZURE_NAME_TAKEN'),
    );
    await expect(cloud.listSnapshots(stranger)).resolves.toEqual([]);
    await expect(cloud.listSnapshots(runs.newScope())).resolves.toEqual([]);
    await expect(cloud.disk(other.diskId)).resolves.toBeNull();
  });
});

describe('an open snapshot', () => {
  test('tells exactly what the guest wrote and gave back since the one before, and holds its bytes', async () => {
    const before = await takeSnapshot();
    await guestWrites(64 * KiB, 8 * KiB);
    await guestWrites(2 * MiB, MiB);
    await guestWrites(DISK_BYTES - 4 * KiB, 4 * KiB);
    await guestClears(512 * KiB, 128 * KiB);
    const after = await takeSnapshot();
    await guestWrites(0, 4 * KiB);

    const source = await open(after.resourceId, before.resourceId);
    expect(await changes(source)).toEqual([
      { offset: 64 * KiB, length: 8 * KiB },
      { offset: 512 * KiB, length: 128 * KiB },
      { offset: 2 * MiB, length: MiB },
      { offset: DISK_BYTES - 4 * KiB, length: 4 * KiB },
    ]);
    expect(source.capacityBytes).toBe(DISK_BYTES);
    const content = await contentOf(source);
    expect(sha256(content)).toBe(await hashInAzure(after.resourceId));
    expect(content.subarray(512 * KiB, 640 * KiB).every((byte) => byte === 0)).toBe(true);

    const rebuilt = await contentOf(await open(before.resourceId, null));
    for (const { offset, length } of await changes(source)) {
      await source.read(offset, rebuilt.subarray(offset, offset + length), never);
    }
    expect(sha256(rebuilt)).toBe(sha256(content));
  });

  test('without one before it lists all that holds data, footer left out, and reads holes as zeros', async () => {
    const snapshot = await takeSnapshot();
    const source = await open(snapshot.resourceId, null);
    const all = { offset: 0, length: DISK_BYTES };
    const listed = await changes(source);
    const content = await contentOf(source);
    const outside = Buffer.from(content);
    for (const { offset, length } of listed) outside.fill(0, offset, offset + length);
    expect(outside.every((byte) => byte === 0)).toBe(true);
    expect(totalBytes(listed)).toBeLessThan(DISK_BYTES);
    expect(totalBytes(await source.dataExtents(all, never))).toBeLessThan(DISK_BYTES);
    const inside = { offset: 128 * KiB, length: 64 * KiB };
    await expect(source.dataExtents(inside, never)).resolves.toEqual([inside]);
    for (const [offset, length] of [
      [1, 512],
      [0, 100],
      [DISK_BYTES, 512],
    ] as const) {
      await expect(source.read(offset, Buffer.alloc(length), never)).rejects.toEqual(
        failsWith('DR_INTERNAL'),
      );
    }
  });

  test('lists in pages when there is more than one answer holds', async () => {
    await guestWrites(0, DISK_BYTES, 13);
    const before = await takeSnapshot();
    const expected: Extent[] = [];
    for (let offset = 0; offset < DISK_BYTES; offset += 512 * KiB) {
      await guestWrites(offset, 4 * KiB, 11);
      await guestClears(offset + 64 * KiB, 4 * KiB);
      expected.push({ offset, length: 4 * KiB }, { offset: offset + 64 * KiB, length: 4 * KiB });
    }
    const after = await takeSnapshot();
    await practice.lab('POST', '/_lab/settings', { pageRangesMax: 3 });
    const source = await open(after.resourceId, before.resourceId);
    expect(await changes(source)).toEqual(expected);
    expect(sha256(await contentOf(source))).toBe(await hashInAzure(after.resourceId));
    await practice.lab('POST', '/_lab/settings', { pageRangesMax: 10_000 });
  });

  test('is read through grants that end when it closes, also when opening failed half-way', async () => {
    const [before, after] = [await takeSnapshot(), await takeSnapshot()];
    const source = await open(after.resourceId, before.resourceId);
    expect([await stateOf(before.resourceId), await stateOf(after.resourceId)]).toEqual([
      'ActiveSAS',
      'ActiveSAS',
    ]);
    await source.close();
    await source.close();
    const isFree = async () =>
      (await stateOf(before.resourceId)) === 'Unattached' &&
      (await stateOf(after.resourceId)) === 'Unattached';
    expect(await isFree()).toBe(true);
    await expect(source.read(0, Buffer.alloc(512), never)).rejects.toEqual(failsWith('DR_INTERNAL'));
    await expect(changes(source)).rejects.toEqual(failsWith('DR_INTERNAL'));

    await practice.lab('POST', '/_lab/faults', {
      method: 'POST',
      path: `${before.name}/beginGetAccess`,
      status: 403,
      code: 'AuthorizationFailed',
    });
    await expect(cloud.openSnapshot(after.resourceId, before.resourceId, never)).rejects.toEqual(
      failsWith('DR_AZURE_REFUSED'),
    );
    expect(await isFree()).toBe(true);
  });

  test('is opened over a grant that a killed process left, and deleted over one', async () => {
    const snapshot = await takeSnapshot();
    await practice.cloud().openSnapshot(snapshot.resourceId, null, never);
    const source = await open(snapshot.resourceId, null);
    expect(sha256(await contentOf(source))).toBe(await hashInAzure(snapshot.resourceId));
    await source.close();
    await practice.cloud().openSnapshot(snapshot.resourceId, null, never);
    await expect(stateOf(snapshot.resourceId)).resolves.toBe('ActiveSAS');
    await deleteSnapshot(snapshot.resourceId);
    await expect(cloud.snapshot(snapshot.resourceId)).resolves.toBeNull();
  });

  test('can be closed for all that a killed process left, but those that are excepted', async () => {
    const [kept, left] = [await takeSnapshot(), await takeSnapshot()];
    for (const { resourceId } of [kept, left]) await practice.cloud().openSnapshot(resourceId, null, never);
    await expect(cloud.endSnapshotAccess(runs.newScope())).resolves.toBe(0);
    await expect(cloud.endSnapshotAccess(scope, [kept.resourceId])).resolves.toBe(1);
    expect(await stateOf(left.resourceId)).toBe('Unattached');
    await expect(cloud.endSnapshotAccess(scope)).resolves.toBe(1);
  });

  test('has to wait while five others of its family are read', async () => {
    const snapshots = [];
    for (let count = 0; count < 6; count += 1) snapshots.push(await takeSnapshot());
    const [last, ...others] = snapshots.toReversed();
    const readers: AzureSnapshotSource[] = [];
    for (const { resourceId } of others) readers.push(await open(resourceId, null));
    const openLast = () => open(last?.resourceId ?? '', others[0]?.resourceId ?? '');
    await expect(openLast()).rejects.toEqual(failsWith('DR_AZURE_BUSY'));
    await readers[4]?.close();
    expect(await changes(await openLast())).toEqual([]);
  });

  test('takes back a grant that Azure does not extend, and asks again', async () => {
    const snapshot = await takeSnapshot();
    await practice.cloud().openSnapshot(snapshot.resourceId, null, never);
    await practice.lab('POST', '/_lab/faults', {
      method: 'POST',
      path: '/beginGetAccess',
      status: 409,
      code: 'Conflict',
    });
    const source = await open(snapshot.resourceId, null);
    expect(sha256(await contentOf(source))).toBe(await hashInAzure(snapshot.resourceId));
  });

  test('asks for its grant again when it was taken away, once; then it is refused, and no address shows', async () => {
    const [before, after] = [await takeSnapshot(), await takeSnapshot()];
    const source = await open(after.resourceId, before.resourceId);
    await contentOf(source);
    await revokeInPortal(after.resourceId);
    expect(sha256(await contentOf(source))).toBe(await hashInAzure(after.resourceId));
    await revokeInPortal(before.resourceId);
    expect(await changes(source)).toEqual([]);

    await practice.lab('POST', '/_lab/faults', { method: 'GET', path: '^/md-', status: 403, count: 1000 });
    for (const attempt of [() => contentOf(source), () => changes(source)]) {
      const error: unknown = await attempt().catch((thrown: unknown) => thrown);
      expect(error).toEqual(failsWith('DR_AZURE_REFUSED'));
      expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/sig=|md-[0-9a-f]|sv=2/);
    }
    expect(inspect(source, { depth: 20, showHidden: true })).not.toMatch(/sig=/);
  });

  test('renews its grants long before they end, and uses them to the end when Azure does not answer', async () => {
    const snapshot = await takeSnapshot();
    const since = (await practice.requestsSince(0)).at(-1)?.sequence ?? 0;
    const source = await open(snapshot.resourceId, null, practice.cloud({ snapshotAccessSeconds: 2 }));
    const readUntilGrants = (count: number, status: number) =>
      waitFor(
        async () => {
          await source.read(0, Buffer.alloc(512), never);
          const requests = await practice.requestsSince(since);
          return (
            requests.filter((each) => each.path.endsWith('GetAccess') && each.status === status).length >=
            count
          );
        },
        { what: `${count} grants with ${status}`, withinMs: 20_000 },
      );
    await readUntilGrants(2, 202);
    await practice.lab('POST', '/_lab/faults', {
      method: 'POST',
      path: '/beginGetAccess',
      status: 403,
      code: 'AuthorizationFailed',
    });
    await readUntilGrants(1, 403);
    await readUntilGrants(3, 202);
    expect(sha256(await contentOf(source))).toBe(await hashInAzure(snapshot.resourceId));
  });

  test('reads on over cut connections, a busy service and answers that are not what was asked for', async () => {
    const snapshot = await takeSnapshot();
    const source = await open(snapshot.resourceId, null);
    await practice.lab('POST', '/_lab/faults', { method: 'GET', path: '^/md-', resetConnection: true });
    await practice.lab('POST', '/_lab/faults', { method: 'GET', path: '^/md-', status: 503, skip: 1 });
    await practice.lab('POST', '/_lab/faults', { path: '^/md-.*comp=pagelist', status: 200, skip: 1 });
    await practice.lab('POST', '/_lab/faults', { path: '^/md-(?!.*comp=)', status: 200 });
    expect(sha256(await contentOf(source))).toBe(await hashInAzure(snapshot.resourceId));
    const stop = new AbortController();
    const reason = new Error('worker shuts down');
    stop.abort(reason);
    await expect(source.read(0, Buffer.alloc(512), stop.signal)).rejects.toBe(reason);
  });

  test('is not compared with one of another disk', async () => {
    const mine = await takeSnapshot();
    const other = await runs.newGroup('real');
    const foreignDisk = await runs.importDisk(other);
    const begun = await cloud.beginSnapshot(other, { name: 'foreign', diskId: foreignDisk });
    const foreign = await cloud.awaitSnapshot(begun, quiet, never);
    await expect(cloud.openSnapshot(mine.resourceId, foreign.resourceId, never)).rejects.toMatchObject({
      code: 'DR_AZURE_SNAPSHOT_UNRELATED',
      context: { snapshot: mine.name, previous: 'foreign' },
    });
    const missing = `${mine.resourceId}-missing`;
    await expect(cloud.openSnapshot(missing, null, never)).rejects.toEqual(
      failsWith('DR_AZURE_OPERATION_FAILED'),
    );
    await cloud.openSnapshot(foreign.resourceId, null, never);
    await runs.deleteGroup(other);
  });

  test('keeps what it holds when an older one of its family is deleted', async () => {
    const first = await takeSnapshot();
    await guestWrites(MiB, 64 * KiB, 3);
    const second = await takeSnapshot();
    await guestWrites(3 * MiB, 64 * KiB, 5);
    const third = await takeSnapshot();
    const hash = await hashInAzure(third.resourceId);
    await deleteSnapshot(first.resourceId);
    const source = await open(third.resourceId, second.resourceId);
    expect(await changes(source)).toEqual([{ offset: 3 * MiB, length: 64 * KiB }]);
    expect(sha256(await contentOf(source))).toBe(hash);
  });
});
