/** `kill -9` while a step of a job runs. */
import { setTimeout as pause } from 'node:timers/promises';
import { productRoles } from '../../../lab/processes/product.ts';
import type { Job } from '../../../api/jobs.ts';
import type { Practice } from '../../support/harness.ts';
import { taskOf, type Flow } from './flow.ts';

export const TEMPORARY = 'temporary-process-server';
export const victims = [...productRoles, TEMPORARY, 'temporal'] as const;
export type Victim = (typeof victims)[number];

export interface Kill {
  readonly victim: Victim;
  /** ms since 1970. */
  readonly at: number;
}

export interface Aim {
  readonly step: string;
  /** One after the other, the next `apartMs` after the one before, whether that one is back or not. */
  readonly victims: readonly Victim[];
  readonly apartMs?: number;
  /** The step before: struck this long after its begin, for steps too short to be seen. */
  readonly ahead?: { readonly step: string; readonly ms: number };
}

const LOOK_EVERY_MS = 25;
const LOOK_WITHIN_MS = 300_000;

/** Resolves when the victim runs again. */
export async function kill(practice: Practice, victim: Victim): Promise<Kill> {
  const at = Date.now();
  if (victim === 'temporal') await practice.killTemporal();
  else if (victim === TEMPORARY) await practice.killTemporaryProcessServer();
  else await practice.killRole(victim);
  return { victim, at };
}

/** Waits for the step and strikes; none when the step was over before it was seen. */
export async function strike(flow: Flow, job: string, aim: Aim): Promise<readonly Kill[]> {
  const isTime = await stepRuns(flow, job, aim);
  if (!isTime) return [];
  const killed: Promise<Kill>[] = [];
  for (const victim of aim.victims) {
    if (killed.length > 0) await pause(aim.apartMs ?? 0);
    const attempt = kill(flow.practice, victim);
    // Awaited below, with the others.
    attempt.catch(() => undefined);
    killed.push(attempt);
  }
  return Promise.all(killed);
}

async function stepRuns(flow: Flow, id: string, { step, ahead }: Aim): Promise<boolean> {
  const giveUpAt = Date.now() + LOOK_WITHIN_MS;
  while (Date.now() < giveUpAt) {
    const job = await flow.jobSeen(id);
    const task = taskOf(job?.tasks ?? [], step);
    if (task !== undefined) return task.state === 'inProgress';
    if (job?.endedAt !== undefined || job?.state === 'waitingForInput') return false;
    const before = ahead === undefined ? undefined : taskOf(job?.tasks ?? [], ahead.step);
    if (ahead !== undefined && before?.startedAt !== undefined) {
      await pause(Math.max(0, Date.parse(before.startedAt) + ahead.ms - Date.now()));
      return true;
    }
    await pause(LOOK_EVERY_MS);
  }
  throw new Error(`waited ${LOOK_WITHIN_MS / 1000} s in vain for ${step} of job ${id}`);
}

/** By the job's own record: the step had begun and not ended. */
export function struckIn(job: Job, step: string, { at }: Kill): boolean {
  const task = taskOf(job.tasks, step);
  if (task?.startedAt === undefined || task.endedAt === undefined) return false;
  return Date.parse(task.startedAt) <= at && at <= Date.parse(task.endedAt);
}
