import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { asId, type MachineId, type ProtectedItemId } from '../../../domain/ids.ts';
import { homeMachineKey } from '../../../domain/names.ts';
import type { MachineBlueprint, VCenterSession } from '../../../domain/ports.ts';
import { MiB } from '../../../domain/units.ts';
import { withMarker } from '../../../providers/vsphere/marker.ts';
import { retrieve } from '../../../providers/vsphere/properties.ts';
import { mor } from '../../../providers/vsphere/values.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { codeOf, type PracticeVCenter, startedElsewhere, startPracticeVCenter } from './practice-vcenter.ts';

const DATASTORE = 'LocalDS_0';
const STANDARD = 'VM Network';
const DISTRIBUTED = 'DC0_DVPG0';

let practice: PracticeVCenter;
let vsphere: VSphereClient;
let vcenter: VCenterSession;
beforeAll(async () => {
  practice = await startPracticeVCenter([
    { name: 'original', disks: [{ mib: 16 }] },
    { name: 'running', poweredOn: true, disks: [{ mib: 16 }] },
  ]);
  vsphere = createVSphere();
  vcenter = vsphere.session(practice.connection);
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
const item = asId<ProtectedItemId>('0a1b2c3d-0000-0000-0000-000000000000');

function blueprint(generation: number, more: Partial<MachineBlueprint> = {}): MachineBlueprint {
  return {
    key: homeMachineKey(item, generation),
    name: `home-${generation}`,
    guestId: 'debian12_64Guest',
    firmware: 'efi',
    cpuCount: 2,
    memoryMiB: 512,
    disks: [{ capacityBytes: 48 * MiB }, { capacityBytes: 16 * MiB }],
    nics: [{ networkName: STANDARD }, { networkName: DISTRIBUTED }],
    datastore: DATASTORE,
    ...more,
  };
}

async function machineNames(): Promise<string[]> {
  const machines = (await practice.lab('GET', 'machines')) as { name: string }[];
  return machines.map(({ name }) => name).sort();
}

async function propertiesOf(id: MachineId, ...paths: string[]) {
  const { moRef } = await vcenter.getMachine(id);
  return retrieve(vsphere.vimSession(practice.connection), mor('VirtualMachine', moRef), paths);
}

describe('a machine that is made at home', () => {
  test('is off and has the disks and networks of its blueprint, in order', async () => {
    const made = await vcenter.createMachine(blueprint(1, { datastore: 'LocalDS_1' }), quietly);
    expect(made).toMatchObject({
      name: 'home-1',
      powerState: 'poweredOff',
      guestId: 'debian12_64Guest',
      firmware: 'efi',
      cpuCount: 2,
      memoryMiB: 512,
      changeTrackingEnabled: false,
      snapshotNames: [],
    });
    expect(made.disks.map(({ capacityBytes }) => capacityBytes)).toEqual([48 * MiB, 16 * MiB]);
    expect(made.disks.map(({ fileName }) => fileName.startsWith('[LocalDS_1] '))).toEqual([true, true]);
    expect(made.nics.map(({ networkName }) => networkName)).toEqual([STANDARD, DISTRIBUTED]);
    expect(await vcenter.findMachine(made.id)).toEqual(made);
  });

  test('is made once, however often it is asked for', async () => {
    const made = await vcenter.createMachine(blueprint(2), quietly);
    expect(await vcenter.createMachine(blueprint(2, { name: 'another name' }), quietly)).toEqual(made);
    expect(await machineNames()).not.toContain('another name');
  });

  test('that another attempt is just making is waited for, also when the session is lost', async () => {
    await practice.lab('POST', 'delays', { methods: { CreateVM_Task: 600 } });
    const elsewhere = await startedElsewhere(practice, (session, onProgress) =>
      session.createMachine(blueprint(3), onProgress),
    );
    const adopted = vcenter.createMachine(blueprint(3), quietly);
    await practice.lab('POST', 'sessions/kill');
    expect(await adopted).toEqual(await elsewhere.result);
    await elsewhere.close();
    expect((await machineNames()).filter((name) => name === 'home-3')).toHaveLength(1);
  });

  test.each([
    ['datastore', { datastore: 'nowhere' }, 'nowhere'],
    ['network', { nics: [{ networkName: STANDARD }, { networkName: 'no such net' }] }, 'no such net'],
  ])('cannot be made on a %s that does not exist', async (_kind, more, name) => {
    await expect(vcenter.createMachine(blueprint(4, more), quietly)).rejects.toMatchObject({
      code: 'DR_VCENTER_PLACE_UNKNOWN',
      context: { name },
    });
    expect(await machineNames()).not.toContain('home-4');
  });

  test('does not take the name of another', async () => {
    const taken = vcenter.createMachine(blueprint(5, { name: 'original' }), quietly);
    await expect(taken).rejects.toMatchObject({ code: 'DR_NAME_TAKEN', context: { name: 'original' } });
  });
});

describe('deleting a machine', () => {
  test('that was made with the key is done once and for all', async () => {
    const { id } = await vcenter.createMachine(blueprint(10), quietly);
    await vcenter.destroyMachine(id, homeMachineKey(item, 10), quietly);
    expect(await vcenter.findMachine(id)).toBeNull();
    await vcenter.destroyMachine(id, homeMachineKey(item, 10), quietly);
  });

  test('that another attempt is just deleting is waited for', async () => {
    const { id } = await vcenter.createMachine(blueprint(13), quietly);
    await practice.lab('POST', 'delays', { methods: { Destroy_Task: 400 } });
    const elsewhere = await startedElsewhere(practice, (session, onProgress) =>
      session.destroyMachine(id, homeMachineKey(item, 13), onProgress),
    );
    await vcenter.destroyMachine(id, homeMachineKey(item, 13), quietly);
    expect(await vcenter.findMachine(id)).toBeNull();
    await elsewhere.result;
    await elsewhere.close();
  });

  test.each(['original', 'running'])('that was not made by Switchback is refused: %s', async (name) => {
    const id = await practice.machineId(name);
    expect(await codeOf(vcenter.destroyMachine(id, homeMachineKey(item, 1), quietly))).toBe(
      'DR_MACHINE_NOT_OURS',
    );
    expect(await machineNames()).toContain(name);
  });

  test('with the key of another is refused, and of one that runs too', async () => {
    const { id } = await vcenter.createMachine(blueprint(11), quietly);
    const destroy = (key: string) => codeOf(vcenter.destroyMachine(id, key, quietly));
    expect(await destroy(homeMachineKey(item, 12))).toBe('DR_MACHINE_NOT_OURS');
    await vcenter.powerOn(id, quietly);
    expect(await destroy(homeMachineKey(item, 11))).toBe('DR_SOURCE_RUNS');
    expect(await machineNames()).toContain('home-11');
  });
});

describe('network adapters', () => {
  const startConnected = async (id: MachineId) => {
    const { 'config.hardware.device': devices } = await propertiesOf(id, 'config.hardware.device');
    return (devices as { macAddress?: string; connectable?: { startConnected: boolean } }[])
      .filter(({ macAddress }) => macAddress !== undefined)
      .map(({ connectable }) => connectable?.startConnected);
  };

  test('move to another network with their address, for the next power-on', async () => {
    const id = await practice.machineId('original');
    const before = (await vcenter.getMachine(id)).nics;
    for (const [networkName, connected] of [
      [DISTRIBUTED, false],
      [DISTRIBUTED, true],
      [STANDARD, true],
    ] as const) {
      const wanted = before.map(({ deviceKey }) => ({ deviceKey, networkName, connected }));
      await vcenter.connectNics(id, wanted, quietly);
      expect((await vcenter.getMachine(id)).nics).toEqual(before.map((nic) => ({ ...nic, networkName })));
      expect(await startConnected(id)).toEqual([connected]);
    }
  });

  test('that are as wanted are left alone', async () => {
    const id = await practice.machineId('original');
    const [nic] = (await vcenter.getMachine(id)).nics;
    const wanted = [{ deviceKey: nic?.deviceKey ?? 0, networkName: STANDARD, connected: true }];
    await vcenter.connectNics(id, wanted, quietly);
    await practice.lab('POST', 'faults', { method: 'ReconfigVM_Task', faultType: 'NotSupported' });
    await vcenter.connectNics(id, wanted, quietly);
  });

  test('cannot be connected to what does not exist', async () => {
    const id = await practice.machineId('original');
    const [nic] = (await vcenter.getMachine(id)).nics;
    const connect = (deviceKey: number, networkName: string) =>
      codeOf(vcenter.connectNics(id, [{ deviceKey, networkName, connected: true }], quietly));
    expect(await connect(nic?.deviceKey ?? 0, 'no such net')).toBe('DR_VCENTER_PLACE_UNKNOWN');
    expect(await connect(1, STANDARD)).toBe('DR_VCENTER_PLACE_UNKNOWN');
  });
});

describe('the marker in the notes', () => {
  test('comes, changes and goes while the notes of others stay', async () => {
    const id = await practice.machineId('original');
    const notes = async () => (await propertiesOf(id, 'config.annotation'))['config.annotation'] ?? '';
    await vcenter.setMarker(id, 'runs in Azure', quietly);
    expect(await notes()).toBe('[Switchback] runs in Azure');
    await vcenter.setMarker(id, 'on its way\nhome', quietly);
    expect(await notes()).toBe('[Switchback] on its way home');
    await vcenter.setMarker(id, null, quietly);
    expect(await notes()).toBe('');
  });

  test.each(['', 'Owner: Ada', 'Owner: Ada\n\nBackup: nightly'])('leaves %j as it was', (notes) => {
    const marked = withMarker(notes, 'runs in Azure');
    expect(marked.split('\n').at(-1)).toBe('[Switchback] runs in Azure');
    expect(withMarker(marked, 'runs in Azure')).toBe(marked);
    expect(withMarker(withMarker(marked, 'again'), null)).toBe(notes);
    expect(withMarker(notes, null)).toBe(notes);
  });
});

describe('the places of a vCenter', () => {
  test('are named: datastores with their space, networks', async () => {
    const [datastore] = await vcenter.datastores();
    expect(datastore).toMatchObject({ name: DATASTORE, accessible: true });
    expect(datastore?.freeBytes).toBeLessThanOrEqual(datastore?.capacityBytes ?? 0);
    expect(datastore?.freeBytes).toBeGreaterThan(0);
    expect(await vcenter.networkNames()).toEqual(expect.arrayContaining([DISTRIBUTED, STANDARD]));
  });
});

test('a machine that is not registered is found as null', async () => {
  expect(await vcenter.findMachine(asId<MachineId>('00000000-0000-4000-8000-000000000000'))).toBeNull();
});
