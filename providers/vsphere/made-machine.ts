/** Machines that Switchback makes at home, found again by their key, and deleted by nobody else's. */
import { DrError } from '../../domain/errors.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import type { MachineBlueprint, OnProgress } from '../../domain/ports.ts';
import { KEY_OPTION, machineSpec } from './blueprint.ts';
import { isFault, VimFault } from './faults.ts';
import { describeMachine } from './inventory.ts';
import { listAll } from './listing.ts';
import { findPlace } from './places.ts';
import { retrieve } from './properties.ts';
import { requests } from './requests.ts';
import { isGone, type VimSession } from './session.ts';
import { runTask, settleTasks } from './task.ts';
import { asRecord, type MoRef, unwrap } from './values.ts';

const CREATE_TASK = /create_?vm/i;
const DESTROY_TASK = /destroy/i;
/** One entry of the extra configuration; absent when the machine has none of that key. */
const KEY_PATH = `config.extraConfig["${KEY_OPTION}"]`;

/**
 * A repeated call finds the machine by its key, or waits for the task that makes it. Two attempts at the same time
 * make one: vCenter refuses a second machine of the name in the folder.
 */
export async function createMachine(
  session: VimSession,
  blueprint: MachineBlueprint,
  onProgress: OnProgress,
): Promise<DiscoveredMachine> {
  const made = await findMade(session, blueprint.key);
  if (made !== null) return made;
  const networkNames = blueprint.nics.map((nic) => nic.networkName);
  const place = await findPlace(session, { datastore: blueprint.datastore, networkNames });
  await settleTasks(session, place.folder, CREATE_TASK, onProgress);
  const adopted = await findMade(session, blueprint.key);
  if (adopted !== null) return adopted;
  const request = requests.createMachine(place, machineSpec(blueprint, place.networks));
  const failure = await runTask(session, request, onProgress).catch((error: unknown) => {
    if (!isFault(error, 'DuplicateName', 'AlreadyExists', 'FileAlreadyExists')) throw error;
    return error;
  });
  const fresh = await findMade(session, blueprint.key);
  if (fresh !== null) return fresh;
  if (failure === undefined) throw new VimFault('NotFound', 'the machine did not appear');
  throw new DrError('DR_NAME_TAKEN', { kind: 'machine', name: blueprint.name }, { cause: failure });
}

/**
 * A machine that is gone, or goes while another attempt deletes it, is done.
 * @throws DR_MACHINE_NOT_OURS, DR_SOURCE_RUNS while it is not off, VimFault `FileLocked` while a disk is being written
 */
export async function destroyMachine(
  session: VimSession,
  machine: MoRef,
  key: string,
  onProgress: OnProgress,
): Promise<void> {
  try {
    await settleTasks(session, machine, DESTROY_TASK, onProgress);
    await refuseOthers(session, machine, key);
    await runTask(session, requests.destroyMachine(machine), onProgress);
  } catch (error) {
    if (!isGone(error, machine)) throw error;
  }
}

async function refuseOthers(session: VimSession, machine: MoRef, key: string): Promise<void> {
  const properties = await retrieve(session, machine, ['name', 'runtime.powerState', KEY_PATH]);
  const [name, state] = [String(properties['name']), String(properties['runtime.powerState'])];
  if (keyOf(properties[KEY_PATH]) !== key) {
    throw new DrError('DR_MACHINE_NOT_OURS', { machine: name, key });
  }
  if (state !== 'poweredOff') throw new DrError('DR_SOURCE_RUNS', { machine: name, state });
}

async function findMade(session: VimSession, key: string): Promise<DiscoveredMachine | null> {
  const machines = await listAll(session, 'VirtualMachine', [KEY_PATH]);
  const found = machines.find(({ properties }) => keyOf(properties[KEY_PATH]) === key);
  return found === undefined ? null : describeMachine(session, found.ref);
}

function keyOf(option: unknown): unknown {
  return unwrap(asRecord(option)?.['value']);
}
