/** A machine with disks in the practice Azure, its snapshots, and their bytes read by Microsoft's storage client. */
import { AnonymousCredential, newPipeline, PageBlobClient } from '@azure/storage-blob';
import type { StoragePipelineOptions } from '@azure/storage-blob';
import type { Rig } from './rig.ts';
import { quick } from './rig.ts';

export interface Made {
  readonly group: string;
  readonly vm: string;
  readonly vmId: string;
  readonly diskIds: readonly string[];
}

export interface Wanted {
  readonly group: string;
  readonly name?: string;
  /** Imported from these blobs; without any: one empty disk of 1 GiB. */
  readonly vhds?: readonly string[];
}

export async function makeMachine(rig: Rig, { group, name = 'vm', vhds }: Wanted): Promise<Made> {
  const { compute, network, resources } = rig.clients;
  const { location } = rig.facts;
  await resources.resourceGroups.createOrUpdate(group, { location });
  const bodies = vhds?.map((sourceUri) => ({ creationData: { createOption: 'Import', sourceUri } })) ?? [
    { creationData: { createOption: 'Empty' }, diskSizeGB: 1 },
  ];
  const disks = await Promise.all(
    bodies.map((body, index) =>
      compute.disks.createOrUpdate(group, `${name}-disk${index}`, { location, ...body }, quick),
    ),
  );
  const diskIds = disks.map(({ id = '' }) => id);
  const subnet = await network.subnets.get('practice-network', 'isolated', 'drill');
  const nic = await network.networkInterfaces.createOrUpdate(
    group,
    `${name}-nic`,
    { location, ipConfigurations: [{ name: 'primary', subnet: { id: subnet.id ?? '' } }] },
    quick,
  );
  const [osDisk = '', ...dataDisks] = diskIds;
  const vm = await compute.virtualMachines.createOrUpdate(
    group,
    name,
    {
      location,
      hardwareProfile: { vmSize: 'Standard_B1s' },
      storageProfile: {
        osDisk: { createOption: 'Attach', osType: 'Linux', managedDisk: { id: osDisk } },
        dataDisks: dataDisks.map((id, lun) => ({ lun, createOption: 'Attach', managedDisk: { id } })),
      },
      diagnosticsProfile: { bootDiagnostics: { enabled: true } },
      networkProfile: { networkInterfaces: [{ id: nic.id ?? '', deleteOption: 'Delete' }] },
    },
    quick,
  );
  return { group, vm: name, vmId: vm.id ?? '', diskIds };
}

export async function takeSnapshot(rig: Rig, group: string, name: string, diskId: string) {
  return rig.clients.compute.snapshots.createOrUpdate(
    group,
    name,
    {
      location: rig.facts.location,
      incremental: true,
      creationData: { createOption: 'Copy', sourceResourceId: diskId },
    },
    quick,
  );
}

/** A read SAS of a snapshot. */
export async function grantRead(rig: Rig, group: string, name: string): Promise<string> {
  const grant = { access: 'Read', durationInSeconds: 600 };
  const { accessSAS = '' } = await rig.clients.compute.snapshots.grantAccess(group, name, grant, quick);
  return accessSAS;
}

/** Storage's client hands unknown options on to its pipeline, which knows `tlsOptions`. */
export function exported(rig: Rig, sas: string): PageBlobClient {
  const options: StoragePipelineOptions & { tlsOptions: { ca: string } } = {
    tlsOptions: { ca: rig.ca },
    retryOptions: { maxTries: 1 },
  };
  return new PageBlobClient(sas, newPipeline(new AnonymousCredential(), options));
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The SDK reports `count` one byte short: ends are inclusive on the wire. */
export function halfOpen(ranges: readonly { offset: number; count?: number }[] = []): Range[] {
  return ranges.map(({ offset, count = 0 }) => ({ start: offset, end: offset + count + 1 }));
}
