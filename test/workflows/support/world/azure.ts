/** Runs in Azure: what they make, stop, start and remove. */
import { DrError } from '../../../../domain/errors.ts';
import { asId, type RunId } from '../../../../domain/ids.ts';
import type { BegunOperation, RunScope } from '../../../../domain/ports.ts';
import { azureNames } from '../../../../domain/names.ts';
import { lastSegment } from '../../../../workflows/lib/provision.ts';
import type { AzureSide } from '../../../../workflows/contracts/home.ts';
import type { Handlers } from './handlers.ts';
import type { AzureRun } from './model.ts';
import type { Call, World } from './world.ts';

type AzureNames =
  | 'preflightFailover'
  | 'checkFailover'
  | 'lookAtRegion'
  | 'prepareRunGroup'
  | 'beginStageDisk'
  | 'awaitStageDisk'
  | 'releasePoint'
  | 'beginDiskImport'
  | 'awaitDisk'
  | 'beginNic'
  | 'awaitNic'
  | 'beginVm'
  | 'awaitVmRunning'
  | 'beginDeleteRunGroup'
  | 'awaitDeleted'
  | 'listRun'
  | 'deleteStaged'
  | 'proveRunEmpty'
  | 'checkAzureSide'
  | 'takeBaseline'
  | 'stopAzureMachine'
  | 'azurePowerState'
  | 'startAzureMachine'
  | 'takeFence'
  | 'readFence'
  | 'deleteReverseSnapshots';

export function azureHandlers(world: World): Pick<Handlers, AzureNames> {
  const gone = (reason: string) => new DrError('DR_AZURE_MACHINE_GONE', { machine: world.itemId, reason });
  return {
    preflightFailover: () => undefined,
    checkFailover: () => [],
    lookAtRegion: ({ location }) => ({ location, sizes: [], usages: [], subnets: [] }),

    prepareRunGroup({ scope }, call) {
      ofItsRun(world, scope, call).group = true;
    },

    beginStageDisk({ runId, point, disk }) {
      const { points, barriers, pins } = world.state.forward;
      if (!points.includes(point.barrierNumber)) {
        throw new DrError('DR_POINT_UNKNOWN', { item: world.itemId, point: point.pointId });
      }
      const pin = `${point.pointId}-${runId}`;
      if (!pins.includes(pin)) pins.push(pin);
      const run = world.state.runs[runId];
      if (run === undefined) throw new DrError('DR_INTERNAL', { reason: `no group of ${runId}` });
      run.staged[disk.diskId] = barriers[point.barrierNumber - 1] ?? 0;
      return { blob: `${runId}/${disk.diskId}` };
    },
    awaitStageDisk: ({ blob }) => ({ url: `https://account/${blob}` }),
    releasePoint({ runId, point }) {
      const { forward } = world.state;
      forward.pins = forward.pins.filter((pin) => pin !== `${point.pointId}-${runId}`);
    },

    beginDiskImport({ scope, disk }, call) {
      const run = ofItsRun(world, scope, call);
      run.disks[disk.name] ??= run.staged[lastSegment(disk.sourceUrl)] ?? 0;
      return begun(scope, `disks/${disk.name}`);
    },
    awaitDisk: ({ begun: { resourceId } }) => ({ resourceId, bytes: 1 }),

    beginNic({ scope, nic }, call) {
      ofItsRun(world, scope, call).nic = true;
      return begun(scope, `nics/${nic.name}`);
    },
    awaitNic: ({ begun: { resourceId } }) => ({ resourceId, privateIpAddress: '10.0.0.4' }),

    beginVm({ scope, vm, fence }, call) {
      const run = ofItsRun(world, scope, call);
      if (scope.mode === 'real' && fence === undefined)
        world.violate('a real machine starts without the fence');
      if (fence !== undefined) world.requireFence('azure', fence.number);
      if (!run.nic || vm.diskIds.length !== Object.keys(run.disks).length) {
        world.violate('a machine starts without its disks or network interface');
      }
      run.vm = 'running';
      return begun(scope, `vms/${vm.name}`);
    },
    awaitVmRunning: ({ begun: { resourceId } }) => ({
      resourceId,
      provisioningState: 'Succeeded',
      powerState: 'running',
    }),

    beginDeleteRunGroup({ scope }) {
      const { staged = {} } = world.state.runs[scope.runId] ?? {};
      delete world.state.runs[scope.runId];
      if (Object.keys(staged).length > 0) world.run(scope.runId, scope.mode).staged = staged;
      return begun(scope, 'group');
    },
    awaitDeleted: () => undefined,
    listRun: ({ runId }) => ({ resources: left(world, runId) }),
    deleteStaged({ runId }) {
      const run = world.state.runs[runId];
      const deleted = Object.keys(run?.staged ?? {}).length;
      if (run !== undefined) run.staged = {};
      if (left(world, runId).length === 0) delete world.state.runs[runId];
      return { deleted };
    },
    proveRunEmpty({ runId }) {
      const resources = left(world, runId);
      if (resources.length > 0) {
        throw new DrError('DR_CLEANUP_INCOMPLETE', { run: runId, resources: resources.join() });
      }
    },

    checkAzureSide({ azure }) {
      if (machineOf(world, azure) !== undefined) return [];
      const { code, message, remedy } = gone('it does not exist');
      return [{ code, message, remedy }];
    },
    takeBaseline({ scope, machineName, diskIds }, call) {
      const run = ofItsRun(world, scope, call);
      if (run.vm !== 'none') world.violate('the baseline is taken after the first boot');
      const names = diskIds.map((_, index) => azureNames.snapshot(machineName, index, 0));
      for (const [index, name] of names.entries()) {
        run.snapshots[name] ??= Object.values(run.disks)[index] ?? 0;
      }
      return { snapshotIds: names };
    },
    stopAzureMachine({ azure }) {
      const run = machineOf(world, azure);
      if (run === undefined) return { state: 'absent' };
      run.vm = 'deallocated';
      return { state: 'deallocated' };
    },
    azurePowerState: ({ azure }) => ({ state: machineOf(world, azure)?.vm ?? 'absent' }),
    startAzureMachine({ azure, fence }) {
      world.requireFence('azure', fence);
      const run = machineOf(world, azure);
      if (run === undefined) throw gone('it does not exist');
      run.vm = 'running';
      return { state: 'running' };
    },
    takeFence({ owner, number }) {
      const { fence } = world.state;
      if (fence.number === number && fence.owner === owner) return { number };
      if (fence.number >= number) throw world.fenceHeld(owner, number);
      world.state.fence = { owner, number };
      return { number };
    },
    readFence: () => ({ ...world.state.fence }),
    deleteReverseSnapshots({ way }) {
      const stream = world.state.reverse[way.stream];
      const deleted = stream?.snapshots.length ?? 0;
      if (stream !== undefined) stream.snapshots = [];
      return { deleted };
    },
  };
}

/** The machine of a run, or undefined when it is gone. */
export function machineOf(world: World, azure: AzureSide): AzureRun | undefined {
  const run = world.state.runs[azure.runId];
  return run?.vm === 'none' ? undefined : run;
}

function begun({ runId }: RunScope, rest: string): BegunOperation {
  return { resourceId: `/runs/${runId}/${rest}`, poller: null };
}

function left(world: World, runId: RunId): string[] {
  const run = world.state.runs[runId];
  if (run === undefined) return [];
  return [
    ...(run.group ? ['group'] : []),
    ...Object.keys(run.staged),
    ...Object.keys(run.disks),
    ...Object.keys(run.snapshots),
    ...(run.nic ? ['nic'] : []),
    ...(run.vm === 'none' ? [] : ['vm']),
  ];
}

/** What a run makes lies in that run and in no other. */
function ofItsRun(world: World, scope: RunScope, call: Call): AzureRun {
  const caller = asId<RunId>(lastSegment(call.workflowId));
  if (caller !== scope.runId) world.violate(`${caller} makes something in ${scope.runId}`);
  return world.run(scope.runId, scope.mode);
}
