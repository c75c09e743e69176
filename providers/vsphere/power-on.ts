/** Turning a machine on that came home, while nobody writes its disks. */
import { DrError } from '../../domain/errors.ts';
import type { OnProgress } from '../../domain/ports.ts';
import { isFault, VimFault } from './faults.ts';
import { OBSERVE_SECONDS_MAX, powerState, reachesPower } from './power.ts';
import { retrieve } from './properties.ts';
import { answeringQuestions } from './question.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { runTask, settleTasks } from './task.ts';
import type { MoRef } from './values.ts';

const POWER_ON_TASK = /powerOn/i;

/**
 * Resolves when on was observed.
 * @throws VimFault `FileLocked` while a disk is being written, DR_MACHINE_QUESTION, DR_SOURCE_RUNS for a suspended
 * machine: the memory it would resume belongs to disks as they were
 */
export async function powerOn(
  session: VimSession,
  machine: MoRef,
  onProgress: OnProgress,
): Promise<'poweredOn' | 'alreadyOn'> {
  const answering = answeringQuestions(session, machine);
  await settleTasks(session, machine, POWER_ON_TASK, onProgress, answering);
  const state = await powerState(session, machine);
  if (state === 'poweredOn') return 'alreadyOn';
  if (state === 'suspended') {
    const { name } = await retrieve(session, machine, ['name']);
    throw new DrError('DR_SOURCE_RUNS', { machine: String(name), state });
  }
  await runTask(session, requests.powerOn(machine), onProgress, answering).catch((error: unknown) => {
    if (!isFault(error, 'InvalidPowerState')) throw error;
  });
  const wanted = { state: 'poweredOn', seconds: OBSERVE_SECONDS_MAX } as const;
  if (await reachesPower(session, machine, wanted, onProgress)) return 'poweredOn';
  throw new VimFault('InvalidPowerState', 'the machine is still off after it was powered on');
}
