import { z } from 'zod';
import { ArmError } from '../http.ts';
import type { JsonObject, VmFacts } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { resourceBody, sameId } from './common.ts';
import { requireFittingSet } from './availability-sets.ts';
import { vmOfDisk } from './disks.ts';
import { isDataOnly } from './disk-skus.ts';
import { hasAccess } from './sharing.ts';
import { findSku } from './skus.ts';
import type { Sku } from './skus.ts';
import { requireQuota } from './usages.ts';
import { requireZone, zoneOf, zonesSchema } from './zones.ts';

const reference = z.looseObject({ id: z.string() });

export const vmBody = resourceBody.extend({
  zones: zonesSchema,
  properties: z.looseObject({
    availabilitySet: reference.optional(),
    hardwareProfile: z.looseObject({ vmSize: z.string() }),
    storageProfile: z.looseObject({
      osDisk: z.looseObject({
        createOption: z.literal('Attach'),
        osType: z.enum(['Linux', 'Windows']),
        managedDisk: reference,
        deleteOption: z.string().optional(),
      }),
      dataDisks: z
        .array(
          z.looseObject({
            lun: z.number().int().min(0).max(63),
            createOption: z.literal('Attach'),
            managedDisk: reference,
            deleteOption: z.string().optional(),
          }),
        )
        .optional(),
    }),
    networkProfile: z.looseObject({
      networkInterfaces: z
        .array(
          z.looseObject({
            id: z.string(),
            properties: z.looseObject({ deleteOption: z.string().optional() }).optional(),
          }),
        )
        .min(1),
    }),
    osProfile: z.unknown().optional(),
  }),
});

export type VmBody = z.infer<typeof vmBody>;
export type VmParts = Pick<VmFacts, 'size' | 'cores' | 'availabilitySetId' | 'disks' | 'nics'>;

/** Everything Compute checks before it accepts a VM; returns what the VM is made of. */
export function checkVm(simulator: Simulator, vmId: string, body: VmBody): VmParts {
  const { properties } = body;
  if (properties.osProfile !== undefined && properties.osProfile !== null) {
    throw new ArmError(400, 'InvalidParameter', "Parameter 'osProfile' is not allowed.");
  }
  const sku = requireSku(simulator, properties.hardwareProfile.vmSize);
  const { osDisk, dataDisks = [] } = properties.storageProfile;
  if (dataDisks.length > sku.dataDisksMax) {
    throw new ArmError(
      409,
      'OperationNotAllowed',
      `The maximum number of data disks allowed to be attached to a VM of this size is ${sku.dataDisksMax}.`,
    );
  }
  if (new Set(dataDisks.map(({ lun }) => lun)).size < dataDisks.length) {
    throw new ArmError(400, 'InvalidParameter', "Two data disks have the same value of 'dataDisk.lun'.");
  }
  const availabilitySetId = checkPlace(simulator, vmId, body, sku);
  const disks = [osDisk, ...dataDisks].map(({ managedDisk, deleteOption }) => ({
    id: requireAttachable(simulator, vmId, managedDisk.id),
    deleteOption: deleteOption ?? 'Detach',
  }));
  if (new Set(disks.map(({ id }) => id.toLowerCase())).size < disks.length) {
    throw new ArmError(400, 'InvalidParameter', `The VM ${vmId} names the same disk twice.`);
  }
  checkBoot(simulator, sku, disks[0]?.id ?? '');
  for (const { id } of disks) checkZone(simulator, id, body);
  const nics = properties.networkProfile.networkInterfaces.map(({ id, properties: nic }) => ({
    id: requireFreeNic(simulator, vmId, id),
    deleteOption: nic?.deleteOption ?? 'Detach',
  }));
  requireQuota(simulator, sku, vmId);
  return { size: sku.name, cores: sku.cores, availabilitySetId, disks, nics };
}

function requireSku(simulator: Simulator, name: string): Sku {
  const sku = findSku(name);
  if (sku === undefined) {
    throw new ArmError(
      400,
      'InvalidParameter',
      `The value ${name} provided for the VM size is not valid. The valid sizes in the current region are listed by Microsoft.Compute/skus.`,
    );
  }
  if (sku.isRestricted === true) {
    throw new ArmError(
      409,
      'SkuNotAvailable',
      `The requested VM size for resource '${name}' is currently not available in location '${simulator.identity.location}'. Please try another size or deploy to a different location or different zone. See https://aka.ms/azureskunotavailable for details.`,
    );
  }
  return sku;
}

/** A zone or an availability set, or neither. @returns the set's id */
function checkPlace(simulator: Simulator, vmId: string, body: VmBody, sku: Sku): string | null {
  const { zones, properties } = body;
  requireZone(vmId, simulator.identity.location, zones);
  if (properties.availabilitySet === undefined) return null;
  if (zones !== undefined && zones.length > 0) {
    throw new ArmError(
      400,
      'BadRequest',
      'Virtual Machine cannot be created because both Availability Zone and Availability Set were specified. Deploying an Availability Set to an Availability Zone is not supported.',
    );
  }
  return requireFittingSet(simulator, vmId, properties.availabilitySet.id, sku);
}

/** A disk is where its machine is: in the same zone, or both in none. */
function checkZone(simulator: Simulator, diskId: string, { zones = [], properties }: VmBody): void {
  const disk = simulator.store.find('Microsoft.Compute/disks', diskId);
  const [vmZone = null] = zones;
  const diskZone = disk === undefined ? null : zoneOf(disk);
  if (vmZone === diskZone) return;
  const cannot = `Disk ${diskId} cannot be attached to the VM because it is not in`;
  const inSet = `Zonal Disk '${diskId}' cannot be attached to the resource because the resource belongs to an Availability Set and this feature is not supported.`;
  const message =
    diskZone === null
      ? `${cannot} zone '${vmZone ?? ''}'.`
      : `${cannot} the same zone as the VM. VM zone: '${vmZone ?? ''}'. Disk zone: '${diskZone}'.`;
  throw new ArmError(400, 'BadRequest', properties.availabilitySet === undefined ? message : inSet);
}

/** Imported disks are prepared for SCSI. */
function checkBoot(simulator: Simulator, sku: Sku, osDiskId: string): void {
  const disk = simulator.store.find('Microsoft.Compute/disks', osDiskId);
  if (disk !== undefined && isDataOnly(disk)) {
    throw new ArmError(400, 'InvalidParameter', `The disk ${disk.name} is of a kind that cannot hold an OS.`);
  }
  const { hyperVGeneration = 'V1' } = (disk?.body.properties ?? {}) as JsonObject;
  if (!sku.generations.some((generation) => generation === hyperVGeneration)) {
    throw new ArmError(
      400,
      'BadRequest',
      `The selected VM size '${sku.name}' cannot boot Hypervisor Generation '${hyperVGeneration === 'V2' ? 2 : 1}'.`,
    );
  }
  if (sku.diskController === 'SCSI') return;
  throw new ArmError(
    400,
    'InvalidParameter',
    `The VM size '${sku.name}' cannot boot with OS image or disk. Please check that disk controller types supported by the OS image or disk is one of the supported disk controller types for the VM size.`,
  );
}

function requireAttachable(simulator: Simulator, vmId: string, diskId: string): string {
  const disk = simulator.store.find('Microsoft.Compute/disks', diskId);
  if (disk === undefined) throw new ArmError(404, 'NotFound', `Disk ${diskId} is not found.`);
  const owner = vmOfDisk(simulator, diskId);
  if (owner !== undefined && !sameId(owner.id, vmId)) {
    throw new ArmError(
      409,
      'ConflictingUserInput',
      `Cannot attach the disk ${disk.name} to VM ${vmId} because it is already attached to VM ${owner.id}. A disk can be attached to only one VM at a time.`,
    );
  }
  if (disk.state !== 'Succeeded' || hasAccess(disk.facts)) {
    const state = disk.state === 'Succeeded' ? 'ActiveSAS' : disk.state;
    throw new ArmError(409, 'Conflict', `Disk ${disk.name} cannot be attached: its state is ${state}.`);
  }
  return disk.id;
}

function requireFreeNic(simulator: Simulator, vmId: string, nicId: string): string {
  const nic = simulator.store.find('Microsoft.Network/networkInterfaces', nicId);
  if (nic === undefined) {
    throw new ArmError(
      400,
      'InvalidResourceReference',
      `Resource ${nicId} referenced by resource ${vmId} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.`,
    );
  }
  if (nic.state !== 'Succeeded') {
    throw new ArmError(
      409,
      'Conflict',
      `Network interface ${nicId} is not ready: its state is ${nic.state}.`,
    );
  }
  const owner = simulator.store
    .ofType('Microsoft.Compute/virtualMachines')
    .find(({ facts }) => facts.nics.some(({ id }) => sameId(id, nicId)));
  if (owner !== undefined && !sameId(owner.id, vmId)) {
    throw new ArmError(
      400,
      'NicInUse',
      `Network Interface ${nicId} is used by existing resource ${owner.id}. In order to use it elsewhere, it must be dissociated from the resource.`,
    );
  }
  return nic.id;
}
