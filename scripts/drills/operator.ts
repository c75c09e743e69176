/** An operator of the drills: asks through the API again while something is down, answers what waits for a decision. */
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '../../api/client.ts';
import { contract } from '../../api/contract.ts';
import type { Job } from '../../api/jobs.ts';
import { DrError } from '../../domain/errors.ts';
import type { JobDecision } from '../../domain/job.ts';
import type { PlanRunKind } from '../../domain/plan/plan.ts';
import { waitFor } from '../../lab/wait.ts';
import type { Practice } from '../../test/support/harness.ts';

const OUT_OF_REACH = 6;
const TRIES_MAX = 600;
const TRY_EVERY_MS = 200;
const LOOK_EVERY_MS = 500;
const DECIDED_WITHIN_MS = 20_000;
/** Of one run, faults and decisions included. */
export const RUN_WITHIN_MS = 900_000;

export class Operator {
  /** What was decided, in order, with the task it was about and what that had failed with. */
  readonly decisions: string[] = [];
  readonly #practice: Practice;
  readonly #answers: readonly JobDecision[];

  constructor(practice: Practice, answers: readonly JobDecision[]) {
    this.#practice = practice;
    this.#answers = answers;
  }

  async begin(plan: string, kind: PlanRunKind, id: string): Promise<void> {
    const body = { kind, shutdownSource: true, operationId: id } as const;
    await insist(() => this.#practice.api.call(contract.runPlan, { params: { name: plan }, body }));
  }

  /** Answers the id of the run that the schedule has begun. */
  async trigger(plan: string): Promise<string> {
    const before = await this.#drillsOf(plan);
    const body = { action: 'trigger' } as const;
    await insist(() =>
      this.#practice.api.call(contract.controlPlanSchedule, { params: { name: plan }, body }),
    );
    const begun = await waitFor(
      async () => {
        const drills = await this.#drillsOf(plan);
        return drills.find((id) => !before.includes(id));
      },
      { what: `the schedule of ${plan} to begin a drill`, withinMs: RUN_WITHIN_MS, everyMs: LOOK_EVERY_MS },
    );
    return begun;
  }

  /** A drill, until it is over, with the answers it was given; answers the job as it ended. */
  attendDrill(id: string): Promise<Job> {
    return this.#attend(id, this.#answers);
  }

  /** Nobody leaves a cleanup undone. */
  attendCleanup(id: string): Promise<Job> {
    return this.#attend(id, ['retry']);
  }

  async #attend(id: string, answers: readonly JobDecision[]): Promise<Job> {
    let answered = 0;
    const giveUpAt = Date.now() + RUN_WITHIN_MS;
    for (;;) {
      const job = await this.job(id);
      if (job?.endedAt !== undefined) return job;
      if (job?.state === 'waitingForInput') {
        const wanted = answers[Math.min(answered, answers.length - 1)] ?? 'retry';
        if (await this.#answer(job, wanted)) answered += 1;
      }
      if (Date.now() > giveUpAt) throw new Error(`run ${id} is ${job?.state} for ${RUN_WITHIN_MS / 1000} s`);
      await pause(LOOK_EVERY_MS);
    }
  }

  /** Undefined while nobody knows it. */
  job(id: string): Promise<Job | undefined> {
    return insist(() => this.#practice.api.call(contract.getJob, { params: { id } })).catch(
      (error: unknown) => {
        if (error instanceof ApiError && error.code === 'DR_JOB_UNKNOWN') return undefined;
        throw error;
      },
    );
  }

  /** Ends what the machine's own run waits for in Azure. False: the run was over. */
  async takeBack(machine: string): Promise<boolean> {
    const query = { item: machine, state: 'inProgress', limit: 10 } as const;
    const { items } = await insist(() => this.#practice.api.call(contract.listJobs, { query }));
    const [job] = items;
    if (job === undefined) return false;
    return this.#decide(job.id, 'rollBack');
  }

  /** False: nothing could be answered. */
  async #answer(job: Job, wanted: JobDecision): Promise<boolean> {
    const choices = job.choices ?? [];
    const chosen =
      choices.find(({ decision }) => decision === wanted) ??
      choices.find(({ decision, taskId }) => decision === 'retry' && taskId !== undefined);
    if (chosen === undefined) return false;
    const { decision, taskId } = chosen;
    if (!(await this.#decide(job.id, decision, taskId))) return false;
    const { code = 'no error', message = '' } = job.error ?? {};
    this.decisions.push(`${decision} ${taskId ?? 'the run'} after ${code}: ${message}`);
    const { revision } = job;
    await waitFor(async () => ((await this.job(job.id))?.revision ?? 0) > revision, {
      what: `run ${job.id} to hear of ${decision}`,
      withinMs: DECIDED_WITHIN_MS,
      everyMs: LOOK_EVERY_MS,
    }).catch(() => undefined);
    return true;
  }

  /** False: it is not among the choices any more. */
  async #decide(id: string, decision: JobDecision, taskId?: string): Promise<boolean> {
    const body = {
      decision,
      reason: 'the operator of the drills',
      ...(taskId === undefined ? {} : { taskId }),
    };
    try {
      await insist(() => this.#practice.api.call(contract.decideJob, { params: { id }, body }));
      return true;
    } catch (error) {
      const isLate = error instanceof ApiError && ['DR_DECISION_REFUSED', 'DR_JOB_OVER'].includes(error.code);
      if (isLate) return false;
      throw error;
    }
  }

  async #drillsOf(plan: string): Promise<string[]> {
    const { items } = await insist(() =>
      this.#practice.api.call(contract.listJobs, { query: { limit: 200 } }),
    );
    return items
      .filter(
        ({ kind, subject, requestedBy }) =>
          kind === 'testPlan' && subject === plan && requestedBy === 'schedule',
      )
      .map(({ id }) => id);
  }
}

/** Asked again while something is down: every call here may be repeated. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (!isOutOfReach(error) || tries === TRIES_MAX) throw error;
      await pause(TRY_EVERY_MS);
    }
  }
}

function isOutOfReach(error: unknown): boolean {
  if (error instanceof ApiError) return error.exit === OUT_OF_REACH;
  return error instanceof DrError && error.code === 'DR_SERVER_UNREACHABLE';
}
