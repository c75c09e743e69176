import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { asId, type MachineId, type ProtectedItemId } from '../../../domain/ids.ts';
import { safetySnapshotName, snapshotName } from '../../../domain/names.ts';
import type { DiskExport, DiskTransport, VCenterSession } from '../../../domain/ports.ts';
import { createExportServiceTransport } from '../../../providers/vsphere/transport/export-service.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { startAskingVCenter } from './asking-vcenter.ts';
import { codeOf, collect, type PracticeVCenter, startPracticeVCenter } from './practice-vcenter.ts';

let practice: PracticeVCenter;
let vsphere: VSphereClient;
let vcenter: VCenterSession;
let transport: DiskTransport;
beforeAll(async () => {
  const disks = [{ mib: 16 }];
  practice = await startPracticeVCenter([
    { name: 'home', disks },
    { name: 'written', disks },
    { name: 'quiet', poweredOn: true, disks },
    { name: 'reverted', poweredOn: true, disks },
    { name: 'tracked', disks },
    { name: 'tracked on', poweredOn: true, disks },
  ]);
  vsphere = createVSphere();
  vcenter = vsphere.session(practice.connection);
  transport = createExportServiceTransport(vsphere);
});
afterEach(async () => {
  await practice.lab('DELETE', 'faults');
  await practice.lab('POST', 'delays', { methods: {} });
});
afterAll(async () => {
  await vsphere.close();
  await practice.stop();
});

const quietly = () => undefined;
const itemOf = (machine: MachineId) => asId<ProtectedItemId>(machine);
const { signal } = new AbortController();

async function openForWriting(id: MachineId): Promise<DiskExport> {
  const { moRef, disks } = await vcenter.getMachine(id);
  const [disk] = disks;
  if (disk === undefined) throw new Error('the machine has no disk');
  return transport.openForWriting({ connection: practice.connection, machineMoRef: moRef, disk, signal });
}

async function hashOf(machine: string): Promise<string> {
  const [disk] = (await vcenter.getMachine(await practice.machineId(machine))).disks;
  const query = new URLSearchParams({ machine, deviceKey: String(disk?.deviceKey) });
  const { sha256 } = (await practice.lab('GET', `hash?${query.toString()}`)) as { sha256: string };
  return sha256;
}

async function write(machine: string, offset: number): Promise<void> {
  const [disk] = (await vcenter.getMachine(await practice.machineId(machine))).disks;
  const where = { machine, deviceKey: disk?.deviceKey, offset };
  await practice.lab('POST', 'guest/write', { ...where, seed: offset + 1, length: 4096 });
}

describe('powering on', () => {
  test('is seen to be on, and done once', async () => {
    const id = await practice.machineId('home');
    let progress = 0;
    expect(await vcenter.powerOn(id, () => (progress += 1))).toBe('poweredOn');
    expect(await vcenter.powerState(id)).toBe('poweredOn');
    expect(await vcenter.powerOn(id, quietly)).toBe('alreadyOn');
    expect(progress).toBeGreaterThan(0);
    await practice.lab('POST', 'power', { machine: 'home', state: 'poweredOff' });
  });

  test('survives a session that is lost meanwhile', async () => {
    const id = await practice.machineId('home');
    await practice.lab('POST', 'delays', { methods: { PowerOnVM_Task: 500 } });
    let calls = 0;
    await vcenter.powerOn(id, () => {
      calls += 1;
      if (calls === 2) void practice.lab('POST', 'sessions/kill');
    });
    expect(await vcenter.powerState(id)).toBe('poweredOn');
    await practice.lab('POST', 'power', { machine: 'home', state: 'poweredOff' });
  });

  test('ends in DR_MACHINE_FILE_LOCKED while a disk is being written, and succeeds afterwards', async () => {
    const id = await practice.machineId('written');
    const writer = await openForWriting(id);
    await expect(vcenter.powerOn(id, quietly)).rejects.toMatchObject({
      code: 'DR_MACHINE_FILE_LOCKED',
      context: { machine: id, disk: expect.stringContaining('.vmdk') },
    });
    expect(await vcenter.powerState(id)).toBe('poweredOff');
    await writer.close();
    expect(await vcenter.powerOn(id, quietly)).toBe('poweredOn');
  });

  test('that fails on the host for a lock it names only in words is a lock too', async () => {
    const id = await practice.machineId('home');
    const rule = { method: 'PowerOnVM_Task', faultType: 'GenericVmConfigFault', taskError: true };
    await practice.lab('POST', 'faults', { ...rule, message: 'Failed to lock the file' });
    expect(await codeOf(vcenter.powerOn(id, quietly))).toBe('DR_MACHINE_FILE_LOCKED');
    await practice.lab('DELETE', 'faults');
    await practice.lab('POST', 'faults', { ...rule, message: 'Out of memory blocks' });
    expect(await codeOf(vcenter.powerOn(id, quietly))).toBe('DR_VCENTER_TASK_FAILED');
  });
});

describe('a machine about which vCenter asks while it is powered on', () => {
  async function powerOnAsked(words: string, labels: readonly string[]) {
    const id = await practice.machineId('home');
    const asking = await startAskingVCenter(practice, words, labels);
    const other = createVSphere();
    try {
      const outcome = await other
        .session(asking.connection)
        .powerOn(id, quietly)
        .catch((error: unknown) => error);
      return { outcome, answers: asking.answers };
    } finally {
      await other.close();
      await asking.stop();
      await practice.lab('POST', 'power', { machine: 'home', state: 'poweredOff' });
    }
  }

  test('was moved: it keeps what it is, and goes on', async () => {
    const labels = ['Cancel', 'I Moved It', 'I Copied It'];
    const { outcome, answers } = await powerOnAsked('It might have been moved or copied.', labels);
    expect(outcome).toBe('poweredOn');
    expect(answers).toHaveLength(1);
    expect(answers[0]).toMatch(/questionId>7<.*answerChoice>1</s);
  });

  test('something else waits for a person, who is told the question', async () => {
    const { outcome, answers } = await powerOnAsked('The disk is damaged. Repair?', ['Yes', 'No']);
    expect(outcome).toMatchObject({
      code: 'DR_MACHINE_QUESTION',
      context: { machine: 'home', question: 'The disk is damaged. Repair?' },
    });
    expect(answers).toEqual([]);
  });
});

describe('a disk that is opened for writing', () => {
  test('has one writer until it is closed', async () => {
    const id = await practice.machineId('home');
    const writer = await openForWriting(id);
    await expect(openForWriting(id)).rejects.toMatchObject({
      code: 'DR_MACHINE_FILE_LOCKED',
      context: { disk: expect.stringContaining('.vmdk'), reason: expect.stringMatching(/\w/) },
    });
    await writer.close();
    const next = await openForWriting(id);
    await next.close();
  });

  test('is refused while the machine runs or has a snapshot', async () => {
    expect(await codeOf(openForWriting(await practice.machineId('quiet')))).toBe('DR_MACHINE_FILE_LOCKED');
    const id = await practice.machineId('home');
    const name = snapshotName(itemOf(id), 1);
    await vcenter.createSnapshot(id, { name, description: '', quiesce: false }, quietly);
    expect(await codeOf(openForWriting(id))).toBe('DR_MACHINE_FILE_LOCKED');
    await vcenter.removeSnapshot(id, name, quietly);
    await vcenter.removeSnapshot(id, name, quietly);
    expect(await codeOf(openForWriting(id).then((writer) => writer.close()))).toBe('succeeded');
  });
});

describe('a quiesced snapshot', () => {
  let number = 0;
  const take = async () => {
    const id = await practice.machineId('quiet');
    number += 1;
    const name = snapshotName(itemOf(id), number);
    const made = await vcenter.createSnapshot(id, { name, description: '', quiesce: true }, quietly);
    expect(await vcenter.findSnapshot(id, name)).toEqual(made);
    expect(made.name).toBe(name);
    await vcenter.removeSnapshot(id, name, quietly);
    return made.quiesced;
  };
  afterEach(async () => {
    await practice.lab('POST', 'guest/tools', { machine: 'quiet', tools: 'running' });
    await practice.lab('POST', 'power', { machine: 'quiet', state: 'poweredOn' });
  });

  test('is labelled so when the guest went along', async () => {
    expect(await take()).toBe(true);
  });

  test.each(['failing', 'missing'])(
    'is crash-consistent under the same name with tools %s',
    async (tools) => {
      await practice.lab('POST', 'guest/tools', { machine: 'quiet', tools });
      expect(await take()).toBe(false);
    },
  );

  test.each([
    ['FilesystemQuiesceFault', ''],
    ['GenericVmConfigFault', 'Failed to quiesce the virtual machine'],
  ])('is crash-consistent after %s %s', async (faultType, message) => {
    const rule = { method: 'CreateSnapshot_Task', faultType, message, taskError: true, count: 1 };
    await practice.lab('POST', 'faults', rule);
    expect(await take()).toBe(false);
  });

  test('is not claimed of a machine that is off', async () => {
    await practice.lab('POST', 'power', { machine: 'quiet', state: 'poweredOff' });
    expect(await take()).toBe(false);
  });

  test('whose task fails for another reason is not made at all', async () => {
    const rule = { method: 'CreateSnapshot_Task', faultType: 'NoDiskSpace', taskError: true, count: 1 };
    await practice.lab('POST', 'faults', rule);
    expect(await codeOf(take())).toBe('DR_VCENTER_TASK_FAILED');
  });
});

describe('reverting to a snapshot', () => {
  test('brings its bytes back any number of times, and leaves the machine off', async () => {
    const id = await practice.machineId('reverted');
    const name = safetySnapshotName(itemOf(id), 1, 1);
    const before = await hashOf('reverted');
    await vcenter.createSnapshot(id, { name, description: '', quiesce: false }, quietly);
    await write('reverted', 65_536);
    expect(await hashOf('reverted')).not.toBe(before);
    await vcenter.revertToSnapshot(id, name, quietly);
    await vcenter.revertToSnapshot(id, name, quietly);
    expect(await hashOf('reverted')).toBe(before);
    expect(await vcenter.powerState(id)).toBe('poweredOff');
    await vcenter.removeSnapshot(id, name, quietly);
    expect(await hashOf('reverted')).toBe(before);
  });

  test('of which there is none is refused', async () => {
    const id = await practice.machineId('reverted');
    const revert = vcenter.revertToSnapshot(id, safetySnapshotName(itemOf(id), 9, 1), quietly);
    expect(await codeOf(revert)).toBe('DR_VCENTER_PLACE_UNKNOWN');
  });
});

describe('change tracking that is turned off and on again', () => {
  test.each(['tracked', 'tracked on'])('is another run: %s', async (name) => {
    const id = await practice.machineId(name);
    const item = itemOf(id);
    const take = async (number: number) => {
      const wanted = { name: snapshotName(item, number), description: '', quiesce: false };
      const snapshot = await vcenter.createSnapshot(id, wanted, quietly);
      await vcenter.removeSnapshot(id, snapshot.name, quietly);
      return snapshot;
    };
    await vcenter.setChangeTracking(id, true, quietly);
    const before = await take(1);
    await vcenter.setChangeTracking(id, false, quietly);
    expect((await vcenter.getMachine(id)).changeTrackingEnabled).toBe(false);
    expect((await take(2)).disks.map(({ changeId }) => changeId)).toEqual([null]);
    await vcenter.setChangeTracking(id, false, quietly);
    await vcenter.setChangeTracking(id, true, quietly);
    const after = await take(3);
    const [disk] = before.disks;
    const query = { snapshot: after, deviceKey: disk?.deviceKey ?? 0, changeId: disk?.changeId ?? '' };
    expect(await codeOf(collect(vcenter.changedAreas(id, query)))).toBe('DR_REPLICATION_CBT_RESET');
  });

  test('is refused when its counter went back: somebody reverted the disk', async () => {
    const id = await practice.machineId('tracked');
    await vcenter.setChangeTracking(id, true, quietly);
    const wanted = { name: snapshotName(itemOf(id), 4), description: '', quiesce: false };
    const snapshot = await vcenter.createSnapshot(id, wanted, quietly);
    const [disk] = snapshot.disks;
    const [run, number] = disk?.changeId?.split('/') ?? [];
    const ask = (changeId: string) =>
      codeOf(collect(vcenter.changedAreas(id, { snapshot, deviceKey: disk?.deviceKey ?? 0, changeId })));
    expect(await ask(`${run}/${Number(number)}`)).toBe('succeeded');
    expect(await ask(`${run}/${Number(number) + 1}`)).toBe('DR_REPLICATION_CBT_RESET');
  });
});
