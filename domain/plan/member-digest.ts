/** What a machine is like, as far as a drill of it depends on that: small and readable, so that a change can be named. */
import type { DiscoveredMachine, ItemSpec } from '../machine.ts';
import { GiB, KiB, MiB } from '../units.ts';

/** By what it is, in words: `disk 2` → `8 GiB`. */
export type MemberDigest = Readonly<Record<string, string>>;

/** Not always known: absent, they are compared with nothing. */
const maybeUnknown: ReadonlySet<string> = new Set(['CPUs', 'memory', 'unprotected disks']);

/** `machine`: as discovery saw it last; absent: it is not listed. */
export function memberDigest(spec: ItemSpec, machine?: DiscoveredMachine): MemberDigest {
  const { firmware, disks, target, hardware } = spec;
  const { cpuCount, memoryMiB } = machine ?? hardware ?? {};
  const sized = disks.map(({ index, capacityBytes }) => [`disk ${index + 1}`, exactSize(capacityBytes)]);
  const known: readonly (readonly [string, string | undefined])[] = [
    ['firmware', firmware],
    ['unprotected disks', machine === undefined ? undefined : unprotected(spec, machine)],
    ['CPUs', cpuCount === undefined ? undefined : String(cpuCount)],
    ['memory', memoryMiB === undefined ? undefined : exactSize(memoryMiB * MiB)],
    ['region', target.location],
    ['size', target.vmSize],
    ['subnet', shortSubnet(target.subnetId)],
    ['address', target.privateIpAddress],
    ['disk type', target.diskType],
    ['resource group', target.resourceGroup],
    ['zone', target.zone],
    ['availability set', target.availabilitySetId?.split('/').at(-1)],
  ];
  return Object.fromEntries([...sized, ...known.filter(([, value]) => value !== undefined)]);
}

/** In words, one entry for each change; empty: it is what it was, as far as both know it. */
export function digestChanges(before: MemberDigest, now: MemberDigest): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return keys.flatMap((key) => {
    const [was, is] = [before[key], now[key]];
    if (was === is) return [];
    if (was !== undefined && is !== undefined) return [`${key} was ${was}, is ${is}`];
    if (maybeUnknown.has(key)) return [];
    return [was === undefined ? `${key} is new: ${is}` : `${key} is gone: it was ${was}`];
  });
}

function unprotected({ disks }: ItemSpec, machine: DiscoveredMachine): string {
  const taken = new Set(disks.map(({ deviceKey }) => deviceKey));
  const left = machine.disks.filter(({ deviceKey }) => !taken.has(deviceKey));
  if (left.length === 0) return 'none';
  return left.map(({ label, capacityBytes }) => `${label} (${exactSize(capacityBytes)})`).join(', ');
}

/** In the largest unit that divides it. */
function exactSize(bytes: number): string {
  const units = [
    [GiB, 'GiB'],
    [MiB, 'MiB'],
    [KiB, 'KiB'],
  ] as const;
  const [size, name] = units.find(([size]) => bytes % size === 0) ?? [1, 'B'];
  return `${bytes / size} ${name}`;
}

/** `group/network/subnet`. */
function shortSubnet(id: string): string {
  const [, group, network, subnet] =
    /\/resourceGroups\/([^/]+)\/.*\/virtualNetworks\/([^/]+)\/subnets\/([^/]+)$/i.exec(id) ?? [];
  return group === undefined ? id : `${group}/${network}/${subnet}`;
}
