/** The stream from a vCenter's disk to a recovery point; the practice vCenter's own hash of the frozen disk is the referee. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openNbdSource } from '../../dataplane/source/nbd-source.ts';
import { listPoints } from '../../dataplane/points.ts';
import { latestBarrier, tailsAfter } from '../../dataplane/journal/barriers.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { snapshotName } from '../../domain/names.ts';
import type { MachineSnapshot, SnapshotDisk } from '../../domain/ports.ts';
import { CHAIN_START } from '../../domain/replication.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { createExportServiceTransport } from '../../providers/vsphere/transport/export-service.ts';
import { createVSphere } from '../../providers/vsphere/vsphere.ts';
import { startPracticeVCenter } from '../providers/vsphere/practice-vcenter.ts';
import type { PracticeVCenter } from '../providers/vsphere/practice-vcenter.ts';
import { seededRandom } from './support/random.ts';
import type { Machine, Rig } from './support/rig.ts';
import { apply, hashesOf, never, ship, startRig } from './support/rig.ts';

const random = seededRandom('practice vcenter');
const quietly = () => undefined;
const vsphere = createVSphere();
let rig: Rig;
let practice: PracticeVCenter;
let deviceKey: number;

beforeAll(async () => {
  rig = await startRig(random);
  practice = await startPracticeVCenter([{ name: 'web', poweredOn: true, disks: [{ mib: 48 }] }]);
  const id = await practice.machineId('web');
  const { disks } = await vsphere.session(practice.connection).getMachine(id);
  deviceKey = disks[0]?.deviceKey ?? 0;
});

afterAll(async () => {
  await vsphere.close();
  await practice.stop();
  await rig.stop();
});

async function guestWrites(count: number): Promise<void> {
  for (let written = 0; written < count; written += 1) {
    const length = 512 * (1 + random.int(512));
    const offset = random.int((48 * MiB - length) / 512) * 512;
    const zeros = { hex: '00'.repeat(4 * KiB) };
    const noise = { seed: random.int(2 ** 31), length };
    const content = random.int(4) === 0 ? zeros : noise;
    await practice.lab('POST', 'guest/write', { machine: 'web', deviceKey, offset, ...content });
  }
}

async function frozenHash(snapshot: string): Promise<string> {
  const query = new URLSearchParams({ machine: 'web', deviceKey: String(deviceKey), snapshot });
  const { sha256 } = (await practice.lab('GET', `hash?${query.toString()}`)) as { sha256: string };
  return sha256;
}

test('every point of a vCenter machine has the bytes that vCenter froze', async () => {
  const id = await practice.machineId('web');
  const session = vsphere.session(practice.connection);
  await session.enableChangeTracking(id, quietly);
  const { moRef } = await session.getMachine(id);
  const transport = createExportServiceTransport(vsphere);
  const item = asId<ProtectedItemId>(id);
  const machine: Machine = { ...(await rig.machine([48 * MiB])), item };
  const [{ diskId } = { diskId: asId<DiskId>('') }] = machine.disks;

  const shipSnapshot = async (barrierNumber: number, snapshot: MachineSnapshot, disk: SnapshotDisk) => {
    const previous = await latestBarrier(rig.storage, item);
    const changeId = previous?.disks[0]?.changeId ?? '*';
    const opening = { connection: practice.connection, machineMoRef: moRef, disk, signal: never };
    const exported = await transport.open({ ...opening, snapshotMoRef: snapshot.moRef });
    const source = await openNbdSource(exported, never);
    expect(source.capacityBytes).toBe(48 * MiB);
    const { capacityBytes } = disk;
    const tail = tailsAfter(previous, [diskId]).get(diskId) ?? CHAIN_START;
    const extents = session.changedAreas(id, { snapshot, deviceKey, changeId });
    await ship(rig, machine, barrierNumber, {
      sourceTime: snapshot.createdAt,
      disks: [
        {
          diskId,
          capacityBytes,
          source,
          extents,
          tail,
          changeId: disk.changeId,
          skipZeros: barrierNumber === 1,
        },
      ],
    });
    await source.close();
    await exported.close();
  };

  for (let number = 1; number <= 4; number += 1) {
    await guestWrites(8);
    const name = snapshotName(item, number);
    const snapshot = await session.createSnapshot(id, { name, description: '', quiesce: false }, quietly);
    const [disk] = snapshot.disks;
    if (disk === undefined) throw new Error('the snapshot has no disk');
    await guestWrites(4);
    const frozen = await frozenHash(name);
    await shipSnapshot(number, snapshot, disk);
    await session.removeSnapshots(id, item, null, quietly);
    await apply(rig, machine, number);
    const [newest] = await listPoints(rig.storage, item);
    if (newest === undefined) throw new Error('no point');
    expect(newest.barrierNumber).toBe(number);
    expect(await hashesOf(rig, machine, newest)).toEqual([frozen]);
  }
});
