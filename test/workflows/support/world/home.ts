/** Machines on premises: found, made, guarded, powered, and the snapshots they carry. */
import { DrError } from '../../../../domain/errors.ts';
import { asId, type MachineId } from '../../../../domain/ids.ts';
import { homeMachineKey, safetySnapshotName, SNAPSHOT_PREFIX } from '../../../../domain/names.ts';
import { reverseDisk, reverseStream } from '../../../../domain/streams.ts';
import type { HomeWay } from '../../../../workflows/contracts/home.ts';
import type { Handlers } from './handlers.ts';
import type { Machine } from './model.ts';
import type { Call, World } from './world.ts';

type HomeNames =
  | 'enableChangeTracking'
  | 'shutDownSource'
  | 'removeProductSnapshots'
  | 'checkHome'
  | 'prepareHomeMachine'
  | 'releaseHomeMachine'
  | 'openHomeForWriting'
  | 'takeSafetySnapshot'
  | 'revertToSafetySnapshot'
  | 'dropSafetySnapshot'
  | 'connectHomeNetworks'
  | 'powerOnHome'
  | 'powerOffHome'
  | 'homePowerState'
  | 'watchHome'
  | 'resumeChangeTracking';

export function homeHandlers(world: World): Pick<Handlers, HomeNames> {
  const homeOf = (way: HomeWay) => world.machine(way.home.machineId);
  const runs = (machine: string) => new DrError('DR_SOURCE_RUNS', { machine, state: 'poweredOn' });
  /** By call, because an attempt knows what an earlier one has done. */
  const outcomes = new Map<string, 'shutDown' | 'alreadyOff'>();
  const powerOff = (machine: Machine, call: Call) => {
    const id = `${call.workflowId} ${call.activity}`;
    const outcome = outcomes.get(id) ?? (machine.power === 'on' ? 'shutDown' : 'alreadyOff');
    outcomes.set(id, outcome);
    machine.power = 'off';
    return outcome;
  };
  return {
    enableChangeTracking: ({ item }) => void (world.machine(item.machineId).tracking = true),
    resumeChangeTracking: ({ item }) => void (world.machine(item.machineId).tracking = true),
    shutDownSource({ item }, call) {
      world.requireNoSession('the source is shut down', 'shipSession', 'applySession');
      return powerOff(world.machine(item.machineId), call);
    },
    removeProductSnapshots: ({ item }) => dropOurs(world.machine(item.machineId)),

    checkHome({ item }) {
      if (world.machine(item.machineId).power === 'off') return [];
      const { code, message, remedy } = runs(item.machineName);
      return [{ code, message, remedy }];
    },
    prepareHomeMachine(input) {
      const { item, place, generation } = input;
      const isOriginal = place.alternate === undefined;
      const machineId = isOriginal ? item.machineId : madeId(homeMachineKey(item.itemId, generation));
      if (isOriginal && world.source.power === 'on') throw runs(item.machineName);
      if (!isOriginal)
        world.state.machines[machineId] ??= madeMachine(homeMachineKey(item.itemId, generation));
      const machine = world.machine(machineId);
      if (isOriginal) dropOurs(machine);
      machine.marked = true;
      return wayOf(input, { machineId, isOriginal });
    },
    releaseHomeMachine({ item, generation, way }) {
      if (way?.home.isOriginal !== false) world.machine(item.machineId).marked = false;
      if (way?.home.isOriginal === true) return;
      const id = madeId(homeMachineKey(item.itemId, generation));
      if (world.state.machines[id]?.power === 'on') world.violate('a machine that runs is destroyed');
      delete world.state.machines[id];
    },
    openHomeForWriting: ({ way }) => void (homeOf(way).tracking = false),

    takeSafetySnapshot({ way, barrierNumber }) {
      const name = safetySnapshotName(way.item.itemId, way.generation, barrierNumber);
      homeOf(way).snapshots[name] ??= homeOf(way).content;
      return { name };
    },
    revertToSafetySnapshot({ way, name, mayBeGone }) {
      const machine = homeOf(way);
      const content = machine.snapshots[name];
      if (content === undefined && mayBeGone) return;
      if (content === undefined) throw new DrError('DR_VCENTER_PLACE_UNKNOWN', { kind: 'snapshot', name });
      if (machine.power === 'on' && !world.state.isDisturbed) {
        world.violate('a machine that runs is reverted');
      }
      machine.content = content;
      machine.marked = true;
    },
    dropSafetySnapshot: ({ way, name }) => void delete homeOf(way).snapshots[name],
    connectHomeNetworks({ way }) {
      homeOf(way).connected = true;
      homeOf(way).marked = false;
    },

    powerOnHome({ machineId, fence }) {
      world.requireFence('onPremises', fence);
      const machine = world.machine(machineId);
      const outcome = machine.power === 'on' ? 'alreadyOn' : 'poweredOn';
      machine.power = 'on';
      return { outcome };
    },
    powerOffHome: ({ machineId }, call) => ({ outcome: powerOff(world.machine(machineId), call) }),
    homePowerState({ machineId }) {
      const machine = world.state.machines[machineId];
      if (machine === undefined) return { state: 'absent' };
      return { state: machine.power === 'on' ? 'poweredOn' : 'poweredOff' };
    },
    watchHome: () => undefined,
  };
}

function dropOurs(machine: Machine): void {
  for (const name of Object.keys(machine.snapshots)) {
    if (name.startsWith(SNAPSHOT_PREFIX)) delete machine.snapshots[name];
  }
}

function madeId(key: string): MachineId {
  return asId(`made-${key}`);
}

function madeMachine(key: string): Machine {
  return { power: 'off', content: 0, tracking: false, marked: false, connected: false, snapshots: {}, key };
}

function wayOf(
  { item, generation, azure, policy }: Parameters<Handlers['prepareHomeMachine']>[0],
  home: HomeWay['home'],
): HomeWay {
  return {
    item,
    generation,
    stream: reverseStream(item.itemId, generation),
    azure,
    home,
    policy,
    disks: item.disks.map(({ diskId, deviceKey, index, label, capacityBytes }) => ({
      diskId: reverseDisk(diskId, generation),
      forwardDiskId: diskId,
      index,
      label,
      capacityBytes,
      deviceKey,
    })),
  };
}
