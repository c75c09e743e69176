import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import soap, { type Client } from 'soap';
import { asId, type MachineId } from '../../../domain/ids.ts';
import { type MachineBlueprint, Secret } from '../../../domain/ports.ts';
import { machineSpec } from '../../../providers/vsphere/blueprint.ts';
import { createElementOrder, type ElementOrder } from '../../../providers/vsphere/order.ts';
import { requests, type ServiceRefs, type VimRequest } from '../../../providers/vsphere/requests.ts';
import { mor, typed } from '../../../providers/vsphere/values.ts';

const service: ServiceRefs = {
  rootFolder: mor('Folder', 'group-d1'),
  propertyCollector: mor('PropertyCollector', 'propertyCollector'),
  viewManager: mor('ViewManager', 'ViewManager'),
  searchIndex: mor('SearchIndex', 'SearchIndex'),
  sessionManager: mor('SessionManager', 'SessionManager'),
  authorizationManager: mor('AuthorizationManager', 'AuthorizationManager'),
};
const vm = mor('VirtualMachine', 'vm-1');
const snapshot = mor('VirtualMachineSnapshot', 'snapshot-1');
const collector = mor('PropertyCollector', 'session-1');
const view = mor('ContainerView', 'view-1');

const backing = typed('VirtualEthernetCardNetworkBackingInfo', { deviceName: 'VM Network' });
const blueprint: MachineBlueprint = {
  key: 'item/1',
  name: 'db-01',
  guestId: 'debian12_64Guest',
  firmware: 'efi',
  cpuCount: 2,
  memoryMiB: 2048,
  disks: [{ capacityBytes: 1024 ** 3 }],
  nics: [{ networkName: 'VM Network' }],
  datastore: 'ds',
};

/** One of each; a new builder does not compile here until it is added. */
const samples: Readonly<Record<keyof typeof requests, VimRequest>> = {
  retrieveServiceContent: requests.retrieveServiceContent(),
  currentTime: requests.currentTime(),
  login: requests.login(service, 'user', new Secret('password')),
  logout: requests.logout(service),
  findByInstanceUuid: requests.findByInstanceUuid(service, asId<MachineId>('b170c191')),
  retrieveObject: requests.retrieveObject(service, vm, ['name']),
  createView: requests.createView(service, ['VirtualMachine']),
  destroyView: requests.destroyView(view),
  retrieveView: requests.retrieveView(service, view, {
    type: 'VirtualMachine',
    paths: ['name'],
    maxObjects: 100,
  }),
  continueRetrieve: requests.continueRetrieve(service, 'token'),
  cancelRetrieve: requests.cancelRetrieve(service, 'token'),
  createCollector: requests.createCollector(service),
  destroyCollector: requests.destroyCollector(collector),
  createFilter: requests.createFilter(collector, [{ object: vm, paths: ['runtime.powerState'] }]),
  waitForUpdates: requests.waitForUpdates(collector, '1', 10),
  enableChangeTracking: requests.enableChangeTracking(vm),
  createSnapshot: requests.createSnapshot(vm, { name: 'n', description: 'd', quiesce: false }),
  removeSnapshot: requests.removeSnapshot(snapshot),
  changedAreas: requests.changedAreas(vm, { changeId: '*', startOffset: 0, deviceKey: 2000, snapshot }),
  shutdownGuest: requests.shutdownGuest(vm),
  powerOff: requests.powerOff(vm),
  reconfigure: requests.reconfigure(vm, { annotation: 'notes' }),
  revertToSnapshot: requests.revertToSnapshot(snapshot),
  powerOn: requests.powerOn(vm),
  answer: requests.answer(vm, 'question-1', '1'),
  createMachine: requests.createMachine(
    {
      folder: mor('Folder', 'group-v1'),
      pool: mor('ResourcePool', 'pool-1'),
      host: mor('HostSystem', 'host-1'),
    },
    machineSpec(blueprint, new Map([['VM Network', { backing }]])),
  ),
  destroyMachine: requests.destroyMachine(vm),
  fetchPrivileges: requests.fetchPrivileges(service, vm, 'LAB\\user'),
};

let client: Client;
let order: ElementOrder;
beforeAll(async () => {
  const wsdl = fileURLToPath(new URL('../../../providers/vsphere/wsdl/vim.wsdl', import.meta.url));
  client = await soap.createClientAsync(wsdl);
  order = createElementOrder(client.wsdl);
});

/** Element names of the XML that would be sent, depth first, by their path. */
function elementsSent({ operation, args }: VimRequest): string[] {
  const sorted = order.sort(operation, args);
  const type = `${operation.replace(/_Task$/, '')}RequestType`;
  const xml = client.wsdl.objectToDocumentXML(operation, sorted, 'vim25', 'urn:vim25', type);
  const path: string[] = [];
  const elements: string[] = [];
  for (const [, closing, name, empty] of xml.matchAll(/<(\/?)([\w:]+)[^>]*?(\/?)>/g)) {
    if (closing === '/') path.pop();
    else {
      path.push((name ?? '').replace('vim25:', ''));
      elements.push(path.join('.'));
      if (empty === '/') path.pop();
    }
  }
  return elements;
}

/** Reverses the keys of every object, at every depth. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}

describe('the order of elements', () => {
  test.each(Object.entries(samples))(
    '%s is sent in schema order however it was written',
    (_name, request) => {
      const backwards = { ...request, args: reversed(request.args) as Record<string, unknown> };
      expect(elementsSent(backwards)).toEqual(elementsSent(request));

      const type = `${request.operation.replace(/_Task$/, '')}RequestType`;
      const declared = order.fieldNames(type);
      const sent = elementsSent(request).filter((element) => element.split('.').length === 2);
      const positions = sent.map((element) => declared.indexOf(element.split('.')[1] ?? ''));
      expect(positions).not.toContain(-1);
      expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    },
  );

  test('puts the fields of a base type before those of the type that xsi:type names', () => {
    const disk = typed('VirtualDisk', {
      capacityInKB: 1,
      unitNumber: 0,
      key: -1,
      backing: typed('VirtualDiskFlatVer2BackingInfo', {
        thinProvisioned: true,
        diskMode: 'persistent',
        fileName: 'f',
      }),
      controllerKey: 1000,
    });
    const request = {
      operation: 'ReconfigVM_Task',
      args: { spec: { deviceChange: [{ device: disk, operation: 'add' }], name: 'n' }, _this: vm },
      mayRepeat: false,
    };
    const change = 'ReconfigVM_Task.spec.deviceChange';
    expect(elementsSent(request)).toEqual([
      'ReconfigVM_Task',
      'ReconfigVM_Task._this',
      'ReconfigVM_Task.spec',
      'ReconfigVM_Task.spec.name',
      change,
      `${change}.operation`,
      `${change}.device`,
      `${change}.device.key`,
      `${change}.device.backing`,
      `${change}.device.backing.fileName`,
      `${change}.device.backing.diskMode`,
      `${change}.device.backing.thinProvisioned`,
      `${change}.device.controllerKey`,
      `${change}.device.unitNumber`,
      `${change}.device.capacityInKB`,
    ]);
  });

  test.each([
    [
      'a field the schema lacks',
      { _this: vm, spec: { nam: 'x' } },
      'unknown field VirtualMachineConfigSpec.nam',
    ],
    ['an argument the operation lacks', { _this: vm, spek: {} }, 'unknown field ReconfigVMRequestType.spek'],
    [
      'a field the named type lacks',
      { _this: vm, spec: { deviceChange: [{ device: typed('VirtualDisk', { capacity: 1 }) }] } },
      'unknown field VirtualDisk.capacity',
    ],
  ])('refuses %s', (_what, args, message) => {
    expect(() => order.sort('ReconfigVM_Task', args)).toThrow(message);
  });

  test('refuses an operation that the WSDL lacks', () => {
    expect(() => order.sort('FormatVmfs', {})).toThrow('operation not in the WSDL: FormatVmfs');
  });
});
