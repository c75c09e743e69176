/**
 * What must be there on the site before a machine can come home (research: Site Recovery's reprotect prerequisites).
 * All checks run; a problem each.
 */
import { DrError } from '../../domain/errors.ts';
import type { MachineId } from '../../domain/ids.ts';
import type { DiscoveredMachine, ItemSpec } from '../../domain/machine.ts';
import { SNAPSHOT_PREFIX } from '../../domain/names.ts';
import type { VCenterSession } from '../../domain/ports.ts';
import { privilegeIds, type PrivilegePurpose, type PrivilegeScope } from '../../domain/privileges.ts';
import { GiB } from '../../domain/units.ts';
import type { HomePlace } from '../../workflows/contracts/home.ts';
import { linkProblems, type PrivateLink } from './private-link.ts';

export interface HomeCheck {
  readonly item: ItemSpec;
  readonly place: HomePlace;
  readonly link: PrivateLink;
}

/** Room for the safety snapshot and what the file system needs itself. */
const SPACE_FACTOR = 1.1;

/** @throws only what kept a check from being made */
export async function homeProblems(session: VCenterSession, check: HomeCheck): Promise<DrError[]> {
  const { item, place } = check;
  const original = await session.findMachine(item.machineId);
  const { alternate } = place;
  const found = await Promise.all([
    alternate === undefined
      ? originalProblems(session, item, original)
      : alternateProblems(session, item, alternate, original),
    linkProblems(item, check.link),
  ]);
  return [...runningProblems(item, original), ...found.flat()];
}

/** Wherever it comes home to, the machine it was must not run beside the one in Azure. */
function runningProblems(item: ItemSpec, original: DiscoveredMachine | null): DrError[] {
  if (original === null || original.powerState === 'poweredOff') return [];
  return [new DrError('DR_SOURCE_RUNS', { machine: item.machineName, state: original.powerState })];
}

async function originalProblems(
  session: VCenterSession,
  item: ItemSpec,
  original: DiscoveredMachine | null,
): Promise<DrError[]> {
  const machine = item.machineName;
  if (item.isPhysical === true) return [new DrError('DR_FAILBACK_PHYSICAL', { machine })];
  const changed = (reason: string) => new DrError('DR_FAILBACK_DISKS_CHANGED', { machine, reason });
  if (original === null) return [changed('the machine does not exist any more')];
  const foreign = original.snapshotNames.filter((name) => !name.startsWith(SNAPSHOT_PREFIX));
  return [
    ...(foreign.length === 0
      ? []
      : [new DrError('DR_MACHINE_FOREIGN_SNAPSHOT', { machine, snapshots: foreign.join(', ') })]),
    ...diskChanges(item, original).map(changed),
    ...(await privilegeProblems(session, item, 'failbackOriginal', original.id)),
  ];
}

function diskChanges(item: ItemSpec, original: DiscoveredMachine): string[] {
  return item.disks.flatMap((disk) => {
    const live = original.disks.find((each) => each.deviceKey === disk.deviceKey);
    if (live === undefined) return [`disk "${disk.label}" is not attached any more`];
    if (live.capacityBytes === disk.capacityBytes) return [];
    return [`disk "${disk.label}" had ${disk.capacityBytes} bytes and has ${live.capacityBytes} now`];
  });
}

async function alternateProblems(
  session: VCenterSession,
  item: ItemSpec,
  alternate: NonNullable<HomePlace['alternate']>,
  original: DiscoveredMachine | null,
): Promise<DrError[]> {
  const [datastores, networks, machines] = await Promise.all([
    session.datastores(),
    session.networkNames(),
    allMachines(session),
  ]);
  const name = alternate.name ?? item.machineName;
  // Any machine inherits the role from the place it is assigned on; the root folder may lie above it.
  const holder = original?.id ?? machines[0]?.id ?? null;
  const unknown = (kind: string, name: string) => new DrError('DR_VCENTER_PLACE_UNKNOWN', { kind, name });
  const datastore = datastores.find(({ name }) => name === alternate.datastore);
  const neededBytes = item.disks.reduce((sum, disk) => sum + disk.capacityBytes, 0) * SPACE_FACTOR;
  const hasRoom = datastore === undefined || datastore.freeBytes >= neededBytes;
  return [
    ...(datastore === undefined ? [unknown('datastore', alternate.datastore)] : []),
    ...(datastore?.accessible === false ? [unknown('accessible datastore', alternate.datastore)] : []),
    ...(hasRoom
      ? []
      : [
          new DrError('DR_DATASTORE_FULL', {
            datastore: alternate.datastore,
            freeGiB: gib(datastore.freeBytes, Math.floor),
            neededGiB: gib(neededBytes, Math.ceil),
          }),
        ]),
    ...(networks.includes(alternate.network) ? [] : [unknown('network', alternate.network)]),
    ...(machines.some((machine) => machine.name === name)
      ? [new DrError('DR_NAME_TAKEN', { kind: 'machine', name })]
      : []),
    ...(await privilegeProblems(session, item, 'failbackNewMachine', holder)),
  ];
}

async function allMachines(session: VCenterSession): Promise<DiscoveredMachine[]> {
  return (await Array.fromAsync(session.listMachines())).flat();
}

function gib(bytes: number, round: (value: number) => number): number {
  return round((bytes / GiB) * 10) / 10;
}

async function privilegeProblems(
  session: VCenterSession,
  item: ItemSpec,
  purpose: PrivilegePurpose,
  machine: MachineId | null,
): Promise<DrError[]> {
  const purposes = ['replicate', purpose] as const;
  const ids = (scope: PrivilegeScope) => purposes.flatMap((each) => privilegeIds(each, scope));
  const missing = [
    ...(await session.missingPrivileges(machine, ids('machine'))),
    ...(await session.missingPrivileges(null, ids('root'))),
  ];
  if (missing.length === 0) return [];
  return [
    new DrError('DR_VCENTER_NO_PERMISSION', {
      vcenter: item.vcenterId,
      attempted: `bringing "${item.machineName}" home`,
      privilege: missing.join(', '),
    }),
  ];
}
