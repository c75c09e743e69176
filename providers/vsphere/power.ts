/** Power state of one machine, and turning it off without losing what the guest has in memory. */
import { z } from 'zod';
import type { PowerState } from '../../domain/machine.ts';
import type { OnProgress } from '../../domain/ports.ts';
import { isFault, VimFault } from './faults.ts';
import { retrieve, waitForChange } from './properties.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { runTask, settleTasks } from './task.ts';
import type { MoRef } from './values.ts';

const POWER_PATH = 'runtime.powerState';
const POWER_OFF_TASK = /powerOff/i;
/** How long vCenter may take to show a state that a finished task has left. */
export const OBSERVE_SECONDS_MAX = 60;

const powerStateSchema = z.enum(['poweredOn', 'poweredOff', 'suspended']);

export async function powerState(session: VimSession, machine: MoRef): Promise<PowerState> {
  return powerStateSchema.parse((await retrieve(session, machine, [POWER_PATH]))[POWER_PATH]);
}

export async function powerOff(
  session: VimSession,
  machine: MoRef,
  graceSeconds: number,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<'guestShutdown' | 'poweredOff' | 'alreadyOff'> {
  const state = await powerState(session, machine);
  if (state === 'poweredOff') return 'alreadyOff';
  const isOffWithin = (seconds: number) =>
    reachesPower(session, machine, { state: 'poweredOff', seconds }, onProgress);
  if (state === 'poweredOn' && graceSeconds > 0 && (await askGuest(session, machine))) {
    if (await isOffWithin(graceSeconds)) return 'guestShutdown';
  }
  // Whoever asked may have turned back meanwhile: then the guest's own shutdown is all that happens.
  signal?.throwIfAborted();
  await cutPower(session, machine, onProgress);
  if (await isOffWithin(OBSERVE_SECONDS_MAX)) return 'poweredOff';
  throw new VimFault('InvalidPowerState', 'the machine is still on after it was powered off');
}

/** False when the guest cannot be asked: VMware Tools do not run, or the machine changes its state just now. */
async function askGuest(session: VimSession, machine: MoRef): Promise<boolean> {
  try {
    await session.call(requests.shutdownGuest(machine));
    return true;
  } catch (error) {
    if (isFault(error, 'ToolsUnavailable', 'InvalidPowerState', 'InvalidState', 'TaskInProgress'))
      return false;
    throw error;
  }
}

async function cutPower(session: VimSession, machine: MoRef, onProgress: OnProgress): Promise<void> {
  await settleTasks(session, machine, POWER_OFF_TASK, onProgress);
  if ((await powerState(session, machine)) === 'poweredOff') return;
  try {
    await runTask(session, requests.powerOff(machine), onProgress);
  } catch (error) {
    if (!isFault(error, 'InvalidPowerState')) throw error;
  }
}

/** Whether the machine is seen in that state before `seconds` have passed. */
export async function reachesPower(
  session: VimSession,
  machine: MoRef,
  { state, seconds }: { readonly state: PowerState; readonly seconds: number },
  onProgress: OnProgress,
): Promise<boolean> {
  const deadline = Date.now() + seconds * 1000;
  const readReached = async () => ((await powerState(session, machine)) === state ? true : undefined);
  const watched = [{ object: machine, paths: [POWER_PATH] }];
  const reached = await session.resume(() =>
    waitForChange(session, { watched, deadline }, readReached, onProgress),
  );
  return reached === true;
}
