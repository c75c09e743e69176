import { actionOf } from '../../api/plan-document.ts';
import { DrError } from '../../domain/errors.ts';
import {
  howItEnded,
  isJobOver,
  isPlanJob,
  PROTECT_HAS_NO_CHOICES,
  type Job,
  type JobState,
} from '../../domain/job.ts';
import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import { itemNamed } from '../resolve.ts';

export function jobHandlers(deps: ServerDeps) {
  const { catalogue, runbooks } = deps;
  return {
    listJobs: async ({ query: { item, ...rest } }) =>
      catalogue.listJobs({
        ...rest,
        ...(item === undefined ? {} : { item: (await itemNamed(catalogue, item)).itemId }),
      }),

    getJob: async ({ params }) => freshest(deps, await jobNamed(deps, params.id)),

    decideJob: async ({ params, body, requester }) => {
      const { id, itemId, kind, state, subject } = await jobNamed(deps, params.id);
      if (isJobOver(state)) throw over(id, state);
      const { decision, reason, taskId, action } = body;
      if (isPlanJob(kind)) {
        const more = {
          ...(taskId === undefined ? {} : { taskId }),
          ...(action === undefined ? {} : { action: actionOf(action) }),
        };
        return runbooks.decidePlan(subject, { job: id, decision, reason, requestedBy: requester, ...more });
      }
      if (action !== undefined) {
        const problems = `action: job ${id} is no run of a plan: it has no steps that can be changed`;
        throw new DrError('DR_REQUEST_INVALID', { problems });
      }
      if (itemId === undefined) {
        const reason = 'it has no step that waits for one';
        throw new DrError('DR_DECISION_REFUSED', { decision: body.decision, job: id, reason });
      }
      if (kind === 'protect') {
        const context = { decision, job: id, reason: PROTECT_HAS_NO_CHOICES };
        throw new DrError('DR_DECISION_REFUSED', context);
      }
      try {
        return await runbooks.decide(itemId, id, { decision, reason, requestedBy: requester });
      } catch (error) {
        if (!(error instanceof DrError) || error.code !== 'DR_JOB_OVER') throw error;
        const { state: now } = await jobNamed(deps, params.id);
        throw isJobOver(now) ? over(id, now) : error;
      }
    },
  } satisfies Partial<Handlers>;
}

async function jobNamed(deps: ServerDeps, id: string): Promise<Job> {
  const job = await deps.catalogue.job(id);
  if (job === undefined) throw new DrError('DR_JOB_UNKNOWN', { job: id });
  return job;
}

/** What its run says, or what was last recorded: setting up and enabling protection are no runs of an item, and another has not begun or cannot be asked. */
async function freshest(deps: ServerDeps, recorded: Job): Promise<Job> {
  const { id, itemId, state, kind, subject } = recorded;
  const { runbooks } = deps;
  if (isJobOver(state) || kind === 'protect') return recorded;
  if (itemId === undefined && !isPlanJob(kind)) return recorded;
  try {
    const told = await (itemId === undefined
      ? runbooks.describePlanJob(subject, id)
      : runbooks.describeJob(itemId, id));
    return told.revision > recorded.revision ? told : recorded;
  } catch (error) {
    // What was recorded is true all the same.
    if (!isAway(error)) deps.log.error({ err: error, job: id }, 'the run of a job cannot be asked');
    return recorded;
  }
}

function isAway(error: unknown): boolean {
  return (
    error instanceof DrError && (error.code === 'DR_TEMPORAL_UNREACHABLE' || error.code === 'DR_JOB_UNKNOWN')
  );
}

function over(job: string, state: JobState): DrError {
  return new DrError('DR_JOB_OVER', { job, state: howItEnded(state) });
}
