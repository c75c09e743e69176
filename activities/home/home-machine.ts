/** The machine that an item comes home to: found where it was, or made anew. */
import { DrError } from '../../domain/errors.ts';
import type { DiscoveredMachine, FailbackPolicy, Hardware, ItemSpec } from '../../domain/machine.ts';
import { homeMachineKey } from '../../domain/names.ts';
import type { VCenterSession } from '../../domain/ports.ts';
import { reverseDisk, reverseStream } from '../../domain/streams.ts';
import type { AzureSide, HomeMachine, HomePlace, HomeWay } from '../../workflows/contracts/home.ts';

export interface PrepareHome {
  readonly item: ItemSpec;
  readonly azure: AzureSide;
  readonly place: HomePlace;
  readonly generation: number;
  readonly policy: FailbackPolicy;
}

type Alternate = NonNullable<HomePlace['alternate']>;

/** For items of a time when hardware was not recorded, and for physical machines; the operator may change it in vCenter. */
const DEFAULT_HARDWARE = { cpuCount: 2, memoryMiB: 4_096 } as const;
const DEFAULT_GUEST_IDS = {
  linux: 'otherLinux64Guest',
  windows: 'windows9Server64Guest',
  other: 'otherGuest64',
} as const;

/** Stands in the machine's notes while it must stay off. */
export function homeMarker({ machineName }: ItemSpec): string {
  return `${machineName} runs in Azure: do not power this machine on`;
}

/** Repeated with the same generation it finds the same machine. @throws what `checkHome` would have told */
export async function prepareHome(
  session: VCenterSession,
  request: PrepareHome,
  beat: () => void,
): Promise<HomeWay> {
  const { item, place, generation } = request;
  const { alternate } = place;
  const machine =
    alternate === undefined
      ? await findOriginal(session, item, beat)
      : await session.createMachine(blueprint(item, alternate, generation), beat);
  await session.setMarker(
    machine.id,
    `${item.machineName} runs in Azure: do not power this machine on`,
    beat,
  );
  return wayTo(request, machine, { machineId: machine.id, isOriginal: alternate === undefined });
}

/** Undoes `prepareHome`, also when it never answered. */
export async function releaseHome(
  session: VCenterSession,
  request: { readonly item: ItemSpec; readonly generation: number; readonly way?: HomeWay },
  hooks: { readonly beat: () => void; readonly signal: AbortSignal },
): Promise<void> {
  const { item, generation, way } = request;
  const key = homeMachineKey(item.itemId, generation);
  if (way?.home.isOriginal !== false) {
    const original = await session.findMachine(item.machineId);
    if (original !== null) await session.setMarker(original.id, null, hooks.beat);
  }
  if (way?.home.isOriginal === true) return;
  if (way !== undefined) return session.destroyMachine(way.home.machineId, key, hooks.beat);
  for (const candidate of await lookAlikes(session, item, hooks.signal)) {
    await session.destroyMachine(candidate.id, key, hooks.beat).catch((error: unknown) => {
      if (!(error instanceof DrError && error.code === 'DR_MACHINE_NOT_OURS')) throw error;
    });
  }
}

async function findOriginal(
  session: VCenterSession,
  item: ItemSpec,
  beat: () => void,
): Promise<DiscoveredMachine> {
  const machine = await session.getMachine(item.machineId);
  if (machine.powerState !== 'poweredOff') {
    throw new DrError('DR_SOURCE_RUNS', { machine: item.machineName, state: machine.powerState });
  }
  await session.removeSnapshots(machine.id, item.itemId, null, beat);
  return machine;
}

/** Interfaces stay disconnected until the machine is to be powered on. */
function blueprint(item: ItemSpec, alternate: Alternate, generation: number) {
  const hardware: Pick<Hardware, 'guestId' | 'cpuCount' | 'memoryMiB' | 'nics'> = item.hardware ?? {
    ...DEFAULT_HARDWARE,
    guestId: DEFAULT_GUEST_IDS[item.guestFamily],
    nics: [{ deviceKey: 0, macAddress: '', networkName: '' }],
  };
  return {
    key: homeMachineKey(item.itemId, generation),
    name: alternate.name ?? item.machineName,
    guestId: hardware.guestId,
    firmware: item.firmware,
    cpuCount: hardware.cpuCount,
    memoryMiB: hardware.memoryMiB,
    disks: item.disks.map(({ capacityBytes }) => ({ capacityBytes })),
    nics: hardware.nics.map(() => ({ networkName: alternate.network })),
    datastore: alternate.datastore,
  };
}

function wayTo(request: PrepareHome, machine: DiscoveredMachine, home: HomeMachine): HomeWay {
  const { item, generation, azure, policy } = request;
  const disks = item.disks.map((disk, position) => {
    const live = home.isOriginal
      ? machine.disks.find((each) => each.deviceKey === disk.deviceKey)
      : machine.disks[position];
    if (live?.capacityBytes !== disk.capacityBytes) {
      const reason =
        live === undefined
          ? `disk "${disk.label}" is not attached any more`
          : `disk "${disk.label}" had ${disk.capacityBytes} bytes and has ${live.capacityBytes} now`;
      throw new DrError('DR_FAILBACK_DISKS_CHANGED', { machine: item.machineName, reason });
    }
    return {
      diskId: reverseDisk(disk.diskId, generation),
      forwardDiskId: disk.diskId,
      index: disk.index,
      label: disk.label,
      capacityBytes: disk.capacityBytes,
      deviceKey: live.deviceKey,
    };
  });
  return {
    item,
    generation,
    stream: reverseStream(item.itemId, generation),
    azure,
    home,
    disks,
    policy,
  };
}

/** Machines that could have been made from the item; only the key in their configuration says that one was. */
async function lookAlikes(
  session: VCenterSession,
  item: ItemSpec,
  signal: AbortSignal,
): Promise<DiscoveredMachine[]> {
  const capacities = (disks: readonly { readonly capacityBytes: number }[]) =>
    disks.map((disk) => disk.capacityBytes).join();
  const found: DiscoveredMachine[] = [];
  for await (const page of session.listMachines(signal)) {
    found.push(
      ...page.filter(
        (machine) => machine.id !== item.machineId && capacities(machine.disks) === capacities(item.disks),
      ),
    );
  }
  return found;
}
