/** Records of the shapes that rooms exchange, for tests to vary. */
import { asId } from '../../domain/ids.ts';
import type { Job } from '../../domain/job.ts';
import type { DiscoveredMachine, ItemSpec } from '../../domain/machine.ts';
import { allowedOperations } from '../../domain/protected-item.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';
import type { CataloguedPolicy } from '../../server/catalogue/policy-row.ts';
import { GiB } from '../../domain/units.ts';
import type { FailoverResult, ItemView } from '../../workflows/contracts/types.ts';

export const machineUuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

export function sampleMachine(n: number, over: Partial<DiscoveredMachine> = {}): DiscoveredMachine {
  return {
    id: asId(machineUuid(n)),
    vcenterId: asId('vc'),
    moRef: `vm-${n}`,
    name: `machine-${String(n).padStart(4, '0')}`,
    powerState: 'poweredOn',
    guestId: 'debian12_64Guest',
    guestFamily: 'linux',
    firmware: 'bios',
    cpuCount: 2,
    memoryMiB: 2048,
    disks: [
      {
        deviceKey: 2000,
        label: 'Hard disk 1',
        capacityBytes: 8 * GiB,
        backing: 'flat',
        fileName: '[datastore1] machine/machine.vmdk',
        diskMode: 'persistent',
        shared: false,
      },
    ],
    nics: [{ deviceKey: 4000, macAddress: '00:50:56:00:00:01', networkName: 'VM Network' }],
    snapshotNames: [],
    changeTrackingSupported: true,
    changeTrackingEnabled: false,
    ...over,
  };
}

export const samplePolicy: CataloguedPolicy = {
  id: asId('gold'),
  intervalSeconds: 60,
  retentionHours: 24,
  rpoThresholdSeconds: 900,
  failback: { id: asId('gold-failback'), intervalSeconds: 300, rpoThresholdSeconds: 900 },
};

export function sampleSpec(n: number, over: Partial<ItemSpec> = {}): ItemSpec {
  const { id, name, vcenterId, guestFamily, firmware } = sampleMachine(n);
  return {
    version: 1,
    itemId: asId(id),
    machineId: id,
    machineName: name,
    vcenterId,
    site: 'main',
    guestFamily,
    firmware,
    disks: [],
    policy: samplePolicy,
    target: { location: 'westeurope', vmSize: 'Standard_D2s_v5', subnetId: '/subscriptions/s' },
    ...over,
  };
}

export function sampleItem(n: number, over: Partial<ItemView> = {}): ItemView {
  const machine = sampleMachine(n);
  return {
    itemId: asId(machine.id),
    machineName: machine.name,
    vcenterId: machine.vcenterId,
    state: 'protected',
    activeLocation: 'onPremises',
    health: 'normal',
    conditions: [],
    drill: { state: 'none' },
    allowedOperations: allowedOperations({
      state: over.state ?? 'protected',
      drill: over.drill?.state ?? 'none',
      hasRecoveryPoint: true,
      paused: over.paused ?? false,
      diverged: false,
    }),
    direction: 'forward',
    paused: false,
    policyId: 'gold',
    revision: 1,
    ...over,
  };
}

export function sampleJob(id: string, over: Partial<Job> = {}): Job {
  return {
    id: asId(id),
    kind: 'protect',
    itemId: asId(machineUuid(1)),
    subject: 'machine-0001',
    state: 'inProgress',
    requestedBy: 'administrator',
    revision: 1,
    startedAt: '2026-11-21T10:00:00.000Z',
    tasks: [{ id: 'check', name: 'Check prerequisites', state: 'inProgress' }],
    ...over,
  };
}

export function samplePoint(number: number, over: Partial<RecoveryPoint> = {}): RecoveryPoint {
  const at = new Date(Date.UTC(2026, 10, 21, 10, number)).toISOString();
  return {
    version: 1,
    pointId: asId(`p${String(number).padStart(6, '0')}`),
    itemId: asId(machineUuid(1)),
    barrierNumber: number,
    consistency: 'crash',
    sourceTime: at,
    durableTime: at,
    processedTime: at,
    snapshotName: `switchback-00000000-${String(number).padStart(8, '0')}`,
    disks: [],
    ...over,
  };
}

export const sampleFailover: FailoverResult = {
  runId: asId('run-1'),
  mode: 'real',
  point: samplePoint(1),
  vmId: '/subscriptions/s/resourceGroups/switchback-run-1/providers/Microsoft.Compute/virtualMachines/web',
  diskIds: [],
  privateIpAddress: '10.0.0.4',
  resourceGroup: 'switchback-run-1',
  source: 'shutDown',
  finalBarrier: 1,
  rtoSeconds: 90,
  rpoSeconds: 0,
};
