/** vSphere calls of the way home. Polled from `site.<site>` and `urgent.site.<site>`. */
import { DrError } from '../../domain/errors.ts';
import type { MachineId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import { safetySnapshotName } from '../../domain/names.ts';
import type { VaultStorage, VCenterDirectory, VCenterSession, VSphere } from '../../domain/ports.ts';
import type { HomeSiteActivities, HomeWay } from '../../workflows/contracts/home.ts';
import { readFence, requireFence } from '../../dataplane/fence.ts';
import { toJobError } from '../failure.ts';
import { supervised } from '../supervise.ts';
import { sessionOf } from '../vsphere/create-site-activities.ts';
import { shutDown } from '../vsphere/shut-down.ts';
import { homeProblems } from './check-home.ts';
import { homeMarker, prepareHome, releaseHome } from './home-machine.ts';
import type { PrivateLink } from './private-link.ts';
import { watchPower } from './watch-power.ts';

export interface HomeSitePorts {
  readonly vsphere: VSphere;
  readonly vcenters: VCenterDirectory;
  readonly storage: VaultStorage;
  readonly link: PrivateLink;
}

const GRACE_AFTER_LOST_FENCE_SECONDS = 0;

export function createHomeSiteActivities(ports: HomeSitePorts): HomeSiteActivities {
  const { storage } = ports;
  const sessionFor = (item: ItemSpec) => sessionOf(ports, item.vcenterId);
  /** One piece of work on the home machine under heartbeats. */
  const atHome = <R>(
    way: HomeWay,
    work: (session: VCenterSession, machine: MachineId, beat: () => void) => Promise<R>,
  ) => supervised(async ({ flush }) => work(await sessionFor(way.item), way.home.machineId, flush));

  return {
    checkHome: ({ item, place }) =>
      supervised(async () => {
        const problems = await homeProblems(await sessionFor(item), { item, place, link: ports.link });
        return problems.map(toJobError);
      }),

    prepareHomeMachine: (input) =>
      supervised(async ({ flush }) => prepareHome(await sessionFor(input.item), input, flush)),

    releaseHomeMachine: (input) =>
      supervised(async ({ flush, signal }) =>
        releaseHome(await sessionFor(input.item), input, { beat: flush, signal }),
      ),

    openHomeForWriting: ({ way }) =>
      atHome(way, (session, machine, beat) => session.setChangeTracking(machine, false, beat)),

    takeSafetySnapshot: ({ way, barrierNumber }) =>
      atHome(way, async (session, machine, beat) => {
        const description = `${way.item.machineName} as it came home; removed when the failback is committed`;
        const name = safetySnapshotName(way.item.itemId, way.generation, barrierNumber);
        const wanted = { name, description, quiesce: false };
        return { name: (await session.createSnapshot(machine, wanted, beat)).name };
      }),

    revertToSafetySnapshot: ({ way, name, mayBeGone }) =>
      atHome(way, async (session, machine, beat) => {
        const isGone = mayBeGone && (await session.findSnapshot(machine, name)) === null;
        if (!isGone) await session.revertToSnapshot(machine, name, beat);
        await session.setMarker(machine, homeMarker(way.item), beat);
      }),

    dropSafetySnapshot: ({ way, name }) =>
      atHome(way, (session, machine, beat) => session.removeSnapshot(machine, name, beat)),

    connectHomeNetworks: ({ way }) =>
      atHome(way, async (session, machine, beat) => {
        if (!way.home.isOriginal) {
          const { nics } = await session.getMachine(machine);
          const connected = nics.map(({ deviceKey, networkName }) => ({
            deviceKey,
            networkName,
            connected: true,
          }));
          await session.connectNics(machine, connected, beat);
        }
        await session.setMarker(machine, null, beat);
      }),

    /** Looks at the fence again once the machine runs: an attempt that was overtaken takes back what it did. */
    powerOnHome: ({ item, machineId, fence }) =>
      supervised(async ({ flush }) => {
        const { itemId, machineName } = item;
        const right = { item: itemId, machineName, owner: 'onPremises', number: fence } as const;
        await requireFence(storage, right);
        const session = await sessionFor(item);
        const outcome = await session.powerOn(machineId, flush);
        try {
          await requireFence(storage, right);
        } catch (error) {
          const isOvertaken = error instanceof DrError && error.code === 'DR_FENCE_HELD';
          // A newer run of the same side goes on with the machine that this one started.
          const isAzures = isOvertaken && (await readFence(storage, itemId)).owner === 'azure';
          if (isAzures && outcome === 'poweredOn') {
            await session.powerOff(machineId, GRACE_AFTER_LOST_FENCE_SECONDS, flush);
          }
          throw error;
        }
        return { outcome };
      }),

    powerOffHome: async ({ item, machineId, graceSeconds }) => ({
      outcome: await shutDown(() => sessionFor(item), machineId, graceSeconds),
    }),

    homePowerState: ({ item, machineId }) =>
      supervised(async () => {
        const session = await sessionFor(item);
        const machine = await session.findMachine(machineId);
        return { state: machine === null ? 'absent' : machine.powerState };
      }),

    watchHome: (input) =>
      supervised(async ({ signal }) => ({
        outcome: await watchPower(() => sessionFor(input.item), input, signal),
      })),

    resumeChangeTracking: ({ item }) =>
      supervised(async ({ flush }) =>
        (await sessionFor(item)).setChangeTracking(item.machineId, true, flush),
      ),
  };
}
