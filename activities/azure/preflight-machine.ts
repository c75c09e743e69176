/** What Azure must have for the machine of a run: its size, quota, place and name. */
import { DrError } from '../../domain/errors.ts';
import { azureNames } from '../../domain/names.ts';
import type { Cloud, VmSize } from '../../domain/ports.ts';
import { GiB } from '../../domain/units.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';
import { asProblems } from '../problems.ts';
import { isOfRun } from './own-resources.ts';

/** Largest operating-system disk that Azure starts from; generation 1 boots by MBR (learn.microsoft.com, "Azure managed disks", OS disk). */
const OS_DISK_GIB_MAX = { V1: 2_048, V2: 4_095 } as const;

export async function machineProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  const found = await Promise.all([
    sizeProblems(cloud, run),
    groupProblems(cloud, run),
    availabilitySetProblems(cloud, run),
    nameProblems(cloud, run),
  ]);
  return [...osDiskProblems(run), ...found.flat()];
}

function generationOf(run: FailoverRun): 'V1' | 'V2' {
  return run.item.firmware === 'efi' ? 'V2' : 'V1';
}

function osDiskProblems(run: FailoverRun): DrError[] {
  const [osDisk] = run.item.disks;
  const gibMax = OS_DISK_GIB_MAX[generationOf(run)];
  if (osDisk === undefined || osDisk.capacityBytes <= gibMax * GiB) return [];
  const gib = Math.ceil(osDisk.capacityBytes / GiB);
  return [
    new DrError('DR_MACHINE_DISK_TOO_LARGE', {
      disk: osDisk.label,
      machine: run.item.machineName,
      gib,
      gibMax,
    }),
  ];
}

async function sizeProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  const { location, vmSize, zone } = run.item.target;
  const sizes = await cloud.vmSizes(location);
  const size = sizes.find((each) => isSame(each.name, vmSize));
  const dataDisks = run.item.disks.length - 1;
  const generation = generationOf(run);
  const unavailable = (reason: string) =>
    new DrError('DR_AZURE_SIZE_UNAVAILABLE', { size: vmSize, location, reason });
  if (size === undefined) return [unavailable('the region does not offer it')];
  const reasons = [
    size.restriction,
    dataDisks > size.dataDisksMax
      ? `it takes ${size.dataDisksMax} data disks, ${dataDisks} are needed`
      : undefined,
    size.generations.includes(generation)
      ? undefined
      : `it does not start ${run.item.firmware} machines (generation ${generation})`,
    zone === undefined || size.zones === undefined || size.zones.includes(zone)
      ? undefined
      : `zone ${zone} does not offer it`,
  ].filter((reason) => reason !== undefined);
  // A machine that is replaced gives back at least its own share first.
  const quota = run.replaces === undefined ? await quotaProblems(cloud, location, size) : [];
  return [...reasons.map(unavailable), ...quota];
}

async function quotaProblems(cloud: Cloud, location: string, size: VmSize): Promise<DrError[]> {
  const needs: Readonly<Record<string, number>> = {
    cores: size.cores,
    [size.family.toLowerCase()]: size.cores,
    virtualmachines: 1,
    networkinterfaces: 1,
  };
  const usages = await cloud.usages(location);
  return usages.flatMap(({ name, used, limit }) => {
    const needed = needs[name.toLowerCase()] ?? 0;
    if (needed === 0 || used + needed <= limit) return [];
    return [new DrError('DR_AZURE_QUOTA', { quota: name, location, limit, used, needed })];
  });
}

/** A drill's group is always the run's own. */
async function groupProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  const { resourceGroup } = run.item.target;
  if (run.mode === 'test' || resourceGroup === undefined) return [];
  if (await cloud.resourceGroupExists(resourceGroup)) return [];
  return [new DrError('DR_AZURE_GROUP_UNKNOWN', { resourceGroup })];
}

function availabilitySetProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  const { availabilitySetId, vmSize, location } = run.item.target;
  if (run.mode === 'test' || availabilitySetId === undefined) return Promise.resolve([]);
  return asProblems(['DR_AZURE_AVAILABILITY_SET_UNKNOWN'], async () => {
    const set = await cloud.availabilitySet(availabilitySetId);
    const unavailable = (reason: string) =>
      new DrError('DR_AZURE_SIZE_UNAVAILABLE', { size: vmSize, location, reason });
    if (!isSame(set.location, location)) {
      return [unavailable(`availability set ${availabilitySetId} is in ${set.location}`)];
    }
    if (set.vmSizes.some((name) => isSame(name, vmSize))) return [];
    return [unavailable(`it does not fit availability set ${availabilitySetId}`)];
  });
}

/** In a group of its own the run's names are free; in the operator's somebody may have one already. */
async function nameProblems(cloud: Cloud, run: FailoverRun): Promise<DrError[]> {
  const { resourceGroup, subnetId } = run.item.target;
  const subscription = /^\/subscriptions\/[^/]+/i.exec(subnetId)?.[0];
  if (run.mode === 'test' || resourceGroup === undefined || subscription === undefined) return [];
  const name = azureNames.vm(run.item.machineName, run.mode);
  const id = `${subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.Compute/virtualMachines/${name}`;
  if ((await cloud.vm(id)) === null || (await isOfRun(cloud, run, id))) return [];
  return [new DrError('DR_AZURE_NAME_TAKEN', { resource: id, run: run.runId })];
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
