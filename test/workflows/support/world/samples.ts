/** Machines of the model's world. */
import { asId } from '../../../../domain/ids.ts';
import type { ItemSpec, ProtectedDisk } from '../../../../domain/machine.ts';
import type { ProtectInput } from '../../../../workflows/contracts/types.ts';

export const SITE = 'test';
export const REGION = 'westeurope';
/** Of the disks that every machine has. */
export const DEVICE_KEYS = [2_001, 2_002];

type Known = Pick<ProtectInput, 'itemId' | 'machineName' | 'vcenterId' | 'site' | 'policy' | 'target'>;

export function specOf(known: Known, deviceKeys: readonly number[] = DEVICE_KEYS): ItemSpec {
  const { itemId, machineName, vcenterId, site, policy, target } = known;
  return {
    version: 1,
    itemId,
    machineId: asId(itemId),
    machineName,
    vcenterId,
    site,
    guestFamily: 'linux',
    firmware: 'bios',
    disks: deviceKeys.map(diskOf),
    policy,
    target,
  };
}

function diskOf(deviceKey: number, index: number): ProtectedDisk {
  return {
    diskId: asId(String(deviceKey).padStart(32, '0')),
    deviceKey,
    label: `Hard disk ${deviceKey - 2_000}`,
    capacityBytes: 1 << 20,
    index,
  };
}

export function protectInput(known: Pick<ProtectInput, 'itemId' | 'operationId'>): ProtectInput {
  return {
    ...known,
    requestedBy: { principal: 'test', requestId: 'r1' },
    machineName: 'web-01',
    vcenterId: asId('lab'),
    site: SITE,
    policy: { id: asId('p'), intervalSeconds: 5, retentionHours: 24, rpoThresholdSeconds: 60 },
    target: { location: REGION, vmSize: 'Standard_D2s_v5', subnetId: '/subnets/production' },
    excludedDisks: [],
  };
}
