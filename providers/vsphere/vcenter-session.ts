/** The port `VCenterSession`: each method is one piece of work on one machine, and names what it attempted when it fails. */
import type { MachineId } from '../../domain/ids.ts';
import { SNAPSHOT_PREFIX } from '../../domain/names.ts';
import type { OnProgress, VCenterSession } from '../../domain/ports.ts';
import { disableChangeTracking, enableChangeTracking } from './change-tracking.ts';
import { changedAreas } from './changed-areas.ts';
import { toDrError } from './faults.ts';
import { describeMachine, findMachine, getMachine, listMachines, searchMachine } from './inventory.ts';
import { createMachine, destroyMachine } from './made-machine.ts';
import { setMarker } from './marker.ts';
import { listNetworks } from './networks.ts';
import { connectNics } from './nics.ts';
import { listDatastores } from './places.ts';
import { powerOn } from './power-on.ts';
import { powerOff, powerState } from './power.ts';
import { missingPrivileges } from './privileges.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import {
  createSnapshot,
  findSnapshot,
  itemSnapshotPrefix,
  removeSnapshots,
  revertToSnapshot,
} from './snapshot.ts';
import type { MoRef } from './values.ts';

type Homeward = Pick<
  VCenterSession,
  | 'findMachine'
  | 'createMachine'
  | 'destroyMachine'
  | 'revertToSnapshot'
  | 'removeSnapshot'
  | 'setMarker'
  | 'setChangeTracking'
  | 'connectNics'
  | 'datastores'
  | 'networkNames'
  | 'missingPrivileges'
>;

export function createVCenterSession(session: VimSession): VCenterSession {
  const { id: vcenter, url } = session.connection;
  const fail = (attempted: string, error: unknown) => toDrError(error, { vcenter, url, attempted });

  function attempt<T>(attempted: string, work: () => Promise<T>): Promise<T> {
    return session.resume(work).catch((error: unknown) => {
      throw fail(attempted, error);
    });
  }

  async function* attemptEach<T>(attempted: string, items: () => AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* items();
    } catch (error) {
      throw fail(attempted, error);
    }
  }

  function onMachine<T>(attempted: string, id: MachineId, work: (ref: MoRef) => Promise<T>): Promise<T> {
    return attempt(`${attempted} of machine ${id}`, async () => work(await findMachine(session, id)));
  }

  return {
    about: () =>
      attempt('describe itself', async () => {
        const { about } = await session.service();
        await session.call(requests.currentTime());
        return { name: about.fullName, version: about.version, instanceUuid: about.instanceUuid };
      }),
    listMachines: (signal) => attemptEach('list machines', () => listMachines(session, signal)),
    getMachine: (id) => attempt(`describe machine ${id}`, () => getMachine(session, id)),
    enableChangeTracking: (id, onProgress) =>
      attempt(`enable change tracking of machine ${id}`, async () =>
        enableChangeTracking(session, await getMachine(session, id), onProgress),
      ),
    createSnapshot: (id, snapshot, onProgress) =>
      onMachine(`create snapshot "${snapshot.name}"`, id, (ref) =>
        createSnapshot(session, ref, snapshot, onProgress),
      ),
    findSnapshot: (id, name) =>
      onMachine(`find snapshot "${name}"`, id, (ref) => findSnapshot(session, ref, name)),
    removeSnapshots: (id, item, keep, onProgress: OnProgress, notAfter) =>
      onMachine('remove snapshots', id, (ref) => {
        const prefix = itemSnapshotPrefix(item);
        const isDue = (name: string) =>
          name.startsWith(prefix) && name !== keep && (notAfter === undefined || name <= notAfter);
        return removeSnapshots(session, ref, isDue, onProgress);
      }),
    changedAreas: (id, query) =>
      attemptEach(`read changed areas of machine ${id}`, async function* () {
        const ref = await session.resume(() => findMachine(session, id));
        yield* changedAreas(session, { id, ref }, query);
      }),
    powerState: (id) => onMachine('read the power state', id, (ref) => powerState(session, ref)),
    powerOff: (id, graceSeconds, onProgress) =>
      onMachine('turn off the power', id, (ref) => powerOff(session, ref, graceSeconds, onProgress)),
    powerOn: (id, onProgress) =>
      onMachine('turn on the power', id, (ref) => powerOn(session, ref, onProgress)),
    ...homeward(),
  };

  function homeward(): Homeward {
    return {
      findMachine: (id) =>
        attempt(`find machine ${id}`, async () => {
          const ref = await searchMachine(session, id);
          return ref === null ? null : describeMachine(session, ref);
        }),
      createMachine: (blueprint, onProgress) =>
        attempt(`create machine "${blueprint.name}"`, () => createMachine(session, blueprint, onProgress)),
      destroyMachine: (id, key, onProgress) =>
        attempt(`delete machine ${id}`, async () => {
          const ref = await searchMachine(session, id);
          if (ref !== null) await destroyMachine(session, ref, key, onProgress);
        }),
      revertToSnapshot: (id, name, onProgress) =>
        onMachine(`revert to snapshot "${name}"`, id, (ref) =>
          revertToSnapshot(session, ref, name, onProgress),
        ),
      removeSnapshot: (id, name, onProgress) =>
        onMachine(`remove snapshot "${name}"`, id, (ref) => {
          const isDue = (candidate: string) => candidate === name && name.startsWith(SNAPSHOT_PREFIX);
          return removeSnapshots(session, ref, isDue, onProgress);
        }),
      setMarker: (id, text, onProgress) =>
        onMachine('mark the notes', id, (ref) => setMarker(session, ref, text, onProgress)),
      setChangeTracking: (id, enabled, onProgress) =>
        attempt(`turn change tracking of machine ${id} ${enabled ? 'on' : 'off'}`, async () => {
          const machine = await getMachine(session, id);
          const set = enabled ? enableChangeTracking : disableChangeTracking;
          await set(session, machine, onProgress);
        }),
      connectNics: (id, nics, onProgress) =>
        onMachine('connect network adapters', id, (ref) => connectNics(session, ref, nics, onProgress)),
      datastores: () =>
        attempt('list datastores', async () => (await listDatastores(session)).map(({ facts }) => facts)),
      networkNames: () =>
        attempt('list networks', async () => [
          ...new Set((await listNetworks(session)).map(({ name }) => name)),
        ]),
      missingPrivileges: (id, privileges) =>
        attempt('check the privileges of the account', async () => {
          const entity = id === null ? (await session.service()).rootFolder : await findMachine(session, id);
          return missingPrivileges(session, entity, privileges);
        }),
    };
  }
}
