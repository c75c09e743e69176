import { describe, expect, test } from '@jest/globals';
import type { MachineBlueprint } from '../../../domain/ports.ts';
import { MiB } from '../../../domain/units.ts';
import { DISKS_MAX, machineSpec } from '../../../providers/vsphere/blueprint.ts';
import { chooseAnswer, type Question } from '../../../providers/vsphere/question.ts';
import { typed, typeOf } from '../../../providers/vsphere/values.ts';

const backing = typed('VirtualEthernetCardNetworkBackingInfo', { deviceName: 'VM Network' });
const networks = new Map([['VM Network', { backing }]]);

function devices(disks: number, guestId = 'rhel9_64Guest'): Record<string, unknown>[] {
  const blueprint: MachineBlueprint = {
    key: 'item/1',
    name: 'db-01',
    guestId,
    firmware: 'bios',
    cpuCount: 1,
    memoryMiB: 256,
    disks: Array.from({ length: disks }, () => ({ capacityBytes: MiB })),
    nics: [{ networkName: 'VM Network' }],
    datastore: 'ds',
  };
  const { deviceChange } = machineSpec(blueprint, networks);
  return (deviceChange as { device: Record<string, unknown> }[]).map(({ device }) => device);
}

const disksOf = (all: readonly Record<string, unknown>[]) =>
  all.filter((device) => typeOf(device) === 'VirtualDisk');

describe('the devices of a machine that is made', () => {
  test.each([
    ['rhel9_64Guest', 'ParaVirtualSCSIController', 'VirtualVmxnet3'],
    ['windows2022srvNext_64Guest', 'VirtualLsiLogicSASController', 'VirtualE1000e'],
    ['freebsd13_64Guest', 'VirtualLsiLogicController', 'VirtualE1000'],
  ])('are those %s has drivers for', (guestId, controller, adapter) => {
    expect(devices(1, guestId).map(typeOf)).toEqual([controller, 'VirtualDisk', adapter]);
  });

  test('have each disk at a place of its own, in order, and none where the controller sits', () => {
    const all = devices(DISKS_MAX);
    const controllers = all.filter((device) => device['busNumber'] !== undefined);
    const places = disksOf(all).map(({ controllerKey, unitNumber }) => {
      const bus = controllers.find(({ key }) => key === controllerKey)?.['busNumber'];
      return Number(bus) * 16 + Number(unitNumber);
    });
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(new Set(places).size).toBe(DISKS_MAX);
    expect(places.filter((place) => place % 16 === 7)).toEqual([]);
    expect(controllers.map(({ busNumber }) => busNumber)).toEqual([0, 1, 2, 3]);
    expect(new Set(all.map(({ key }) => key)).size).toBe(all.length);
  });

  test('are at most what four controllers hold', () => {
    expect(() => devices(DISKS_MAX + 1)).toThrow(`at most ${DISKS_MAX} disks`);
  });
});

describe('a question of vCenter', () => {
  const ask = (...labels: readonly string[]): Question => ({
    id: '1',
    text: 'This virtual machine might have been moved or copied.',
    choice: { choiceInfo: labels.map((label, key) => ({ key: String(key), label, summary: '' })) },
  });

  test.each([
    [ask('Cancel', 'I _Moved It', 'I _Copied It'), '1'],
    [ask('button.uuid.copiedTheVM', 'button.uuid.movedTheVM'), '1'],
    [ask('Cancel', 'I Copied It'), '1'],
    [ask('Retry', 'Cancel'), undefined],
    [ask(), undefined],
  ])('about %j is answered with %s', (question, answer) => {
    expect(chooseAnswer(question)).toBe(answer);
  });
});
