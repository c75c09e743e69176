/** The port `VCenterSession`: each method is one piece of work on one machine, and names what it attempted when it fails. */
import type { OnProgress, VCenterSession } from '../../domain/ports.ts';
import { createAttempts } from './attempts.ts';
import { enableChangeTracking } from './change-tracking.ts';
import { changedAreas } from './changed-areas.ts';
import { guestAddress } from './guest-address.ts';
import { homewardMethods } from './homeward.ts';
import { findMachine, getMachine, listMachines } from './inventory.ts';
import { powerOn } from './power-on.ts';
import { powerOff, powerState } from './power.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { readTags } from './tags.ts';
import { createSnapshot, findSnapshot, itemSnapshotPrefix, removeSnapshots } from './snapshot.ts';

export function createVCenterSession(session: VimSession): VCenterSession {
  const attempts = createAttempts(session);
  const { attempt, attemptEach, onMachine } = attempts;
  return {
    about: () =>
      attempt('describe itself', async () => {
        const { about } = await session.service();
        await session.call(requests.currentTime());
        return { name: about.fullName, version: about.version, instanceUuid: about.instanceUuid };
      }),
    listMachines: (signal) => attemptEach('list machines', () => listMachines(session, signal)),
    machineTags: (signal) => readTags(session, signal),
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
    guestAddress: (id) => onMachine('read the guest’s address', id, (ref) => guestAddress(session, ref)),
    powerOff: (id, graceSeconds, onProgress, signal) =>
      onMachine('turn off the power', id, (ref) => powerOff(session, ref, graceSeconds, onProgress, signal)),
    powerOn: (id, onProgress) =>
      onMachine('turn on the power', id, (ref) => powerOn(session, ref, onProgress)),
    ...homewardMethods(session, attempts),
  };
}
