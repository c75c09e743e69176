/** The part of the port that brings machines home. */
import { SNAPSHOT_PREFIX } from '../../domain/names.ts';
import type { VCenterSession } from '../../domain/ports.ts';
import type { Attempts } from './attempts.ts';
import { disableChangeTracking, enableChangeTracking } from './change-tracking.ts';
import { describeMachine, findMachine, getMachine, searchMachine } from './inventory.ts';
import { createMachine, destroyMachine } from './made-machine.ts';
import { setMarker } from './marker.ts';
import { listNetworks } from './networks.ts';
import { connectNics } from './nics.ts';
import { listDatastores } from './places.ts';
import { missingPrivileges } from './privileges.ts';
import type { VimSession } from './session.ts';
import { removeSnapshots, revertToSnapshot } from './snapshot.ts';

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

export function homewardMethods(session: VimSession, { attempt, onMachine }: Attempts): Homeward {
  return {
    findMachine: (id) =>
      attempt(`find machine ${id}`, async () => {
        const ref = await searchMachine(session, id);
        return ref === null ? null : describeMachine(session, ref);
      }),
    createMachine: (blueprint, onProgress) =>
      attempt(`create machine "${blueprint.name}"`, () => createMachine(session, blueprint, onProgress)),
    destroyMachine: (id, key, onProgress) =>
      attempt(
        `delete machine ${id}`,
        async () => {
          const ref = await searchMachine(session, id);
          if (ref !== null) await destroyMachine(session, ref, key, onProgress);
        },
        id,
      ),
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
      onMachine(`turn ${enabled ? 'on' : 'off'} change tracking`, id, async () => {
        const set = enabled ? enableChangeTracking : disableChangeTracking;
        await set(session, await getMachine(session, id), onProgress);
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
