/** vCenter's tasks: waiting for one, and finding those that an earlier attempt started. */
import { z } from 'zod';
import type { OnProgress } from '../../domain/ports.ts';
import { faultOfTask, VimFault } from './faults.ts';
import { retrieve, waitForChange, type Watched } from './properties.ts';
import type { VimRequest } from './requests.ts';
import type { VimSession } from './session.ts';
import { type MoRef, moRefSchema } from './values.ts';

const taskInfoSchema = z.object({
  state: z.enum(['queued', 'running', 'success', 'error']),
  descriptionId: z.string().default(''),
  progress: z.coerce.number().optional(),
  error: z.unknown().optional(),
});

type TaskInfo = z.output<typeof taskInfoSchema>;

/** What a waiter keeps an eye on beside the task; what `look` throws ends the waiting, not the task. */
export interface Companion {
  readonly watched: Watched;
  look(): Promise<void>;
}

/** Starts the task of a `…_Task` request and waits for it. @throws VimFault, SessionLost when it is not known whether it started */
export async function runTask(
  session: VimSession,
  request: VimRequest,
  onProgress: OnProgress,
  companion?: Companion,
): Promise<void> {
  await waitForTask(session, moRefSchema.parse(await session.call(request)), onProgress, companion);
}

/** Resolves when the task has succeeded. @throws VimFault with the task's fault */
export async function waitForTask(
  session: VimSession,
  task: MoRef,
  onProgress: OnProgress,
  companion?: Companion,
): Promise<void> {
  const readEnd = async () => {
    await companion?.look();
    const info = await readTask(session, task);
    onProgress(info.progress);
    return info.state === 'success' || info.state === 'error' ? info : undefined;
  };
  const watched = [{ object: task, paths: ['info.state', 'info.progress'] }];
  if (companion !== undefined) watched.push({ ...companion.watched, paths: [...companion.watched.paths] });
  const info = await session.resume(() => waitForChange(session, { watched }, readEnd, onProgress));
  if (info?.state === 'error') throw faultOfTask(info.error);
}

/**
 * Waits for the object's unfinished tasks of that kind, however they end: what matters is the state they leave.
 * A task that may not be read, or is gone, was started by somebody else.
 */
export async function settleTasks(
  session: VimSession,
  object: MoRef,
  kind: RegExp,
  onProgress: OnProgress,
  companion?: Companion,
): Promise<void> {
  const properties = await retrieve(session, object, ['recentTask']);
  const tasks = z.array(moRefSchema).parse(properties['recentTask'] ?? []);
  for (const task of tasks) {
    await settle(session, task, kind, onProgress, companion).catch((error: unknown) => {
      if (!(error instanceof VimFault)) throw error;
    });
  }
}

async function settle(
  session: VimSession,
  task: MoRef,
  kind: RegExp,
  onProgress: OnProgress,
  companion?: Companion,
): Promise<void> {
  const info = await readInfo(session, task);
  if (info === undefined) return;
  const { state, descriptionId } = taskInfoSchema.parse(info);
  const isUnfinished = state === 'queued' || state === 'running';
  if (isUnfinished && kind.test(descriptionId)) await waitForTask(session, task, onProgress, companion);
}

async function readTask(session: VimSession, task: MoRef): Promise<TaskInfo> {
  return taskInfoSchema.parse(await readInfo(session, task));
}

async function readInfo(session: VimSession, task: MoRef): Promise<unknown> {
  const { info } = await retrieve(session, task, ['info']);
  return info;
}
