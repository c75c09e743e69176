/**
 * A drill that nobody started by hand: what a plan's schedule runs.
 *
 * Theory of operation. The schedule allows one at a time. It pins the plan as it is applied now and the machines its
 * selectors find now, rehearses unattended into the plan's isolated subnet, and cleans up at once whether the rehearsal
 * succeeded or not; a rehearsal that failed has taken itself back already. It fails when either did, so that the
 * schedule pauses and somebody looks. In a blackout, or while somebody runs the plan, nothing is done, and a job says so;
 * so does one where the plan could not begin, and the schedule pauses.
 */
import { isCancellation, uuid4 } from '@temporalio/workflow';
import { ActivityFailure } from '@temporalio/common';
import { MISSED_DRILL_TASK, planJobKinds } from '../domain/job.ts';
import { asId } from '../domain/ids.ts';
import type { PlanRunInput, ScheduledDrillInput } from './contracts/plan.ts';
import { refusal } from './lib/failures.ts';
import { jobLog, type JobLog } from './lib/job-log.ts';
import { runUnlessHeld } from './lib/plan/unless-held.ts';
import { planCalls } from './lib/proxies.ts';

const SCHEDULER = 'schedule';
const MISSED = 'Drill was missed';

export async function scheduledDrill({ planName, blackouts }: ScheduledDrillInput): Promise<void> {
  const now = Date.now();
  const blackout = blackouts.find(({ from, to }) => Date.parse(from) <= now && now < Date.parse(to));
  if (blackout !== undefined) return told(planName, `in the blackout until ${blackout.to}`);
  const { plan, members, subnetId, prediction } = await pinnedOrTold(planName);
  const runId = asId<PlanRunInput['runId']>(uuid4());
  const drill: PlanRunInput = {
    runId,
    requestedBy: { principal: SCHEDULER, requestId: runId },
    kind: 'test',
    plan,
    members,
    choice: { kind: 'latestProcessed' },
    shutdownSource: false,
    subnetId,
    unattended: true,
    ...(prediction === undefined ? {} : { prediction }),
  };
  const rehearsed = await runUnlessHeld(drill);
  if (rehearsed === null) return told(planName, 'another run of the plan is under way');
  const cleaned =
    rehearsed.ended === 'succeeded'
      ? await runUnlessHeld({
          ...drill,
          kind: 'cleanup',
          runId: asId(`${runId}-cleanup`),
          onlyDrillOf: runId,
        })
      : rehearsed;
  if (cleaned?.ended !== 'succeeded') throw refusal('DR_DRILL_FAILED', { plan: planName, job: runId });
}

/** @throws DR_PLAN_NOT_READY, DR_PLAN_UNKNOWN, which a job has told */
async function pinnedOrTold(planName: string) {
  try {
    const { subnetId, ...pinned } = await planCalls.pinPlan({ name: planName });
    if (subnetId !== undefined) return { ...pinned, subnetId };
    const problems = 'drill.subnetId: a scheduled drill needs the subnet of an isolated network in the plan';
    throw refusal('DR_PLAN_NOT_READY', { plan: planName, problems });
  } catch (error) {
    if (isCancellation(error)) throw error;
    const log = missedLog(planName);
    const missed = log.step(MISSED_DRILL_TASK, MISSED, () => Promise.reject(error as Error));
    await missed.catch((known: unknown) => log.fail(known));
    // What the schedule notes when it pauses is the message of what is thrown here.
    throw error instanceof ActivityFailure ? (error.cause ?? error) : error;
  }
}

async function told(planName: string, reason: string): Promise<void> {
  const log = missedLog(planName);
  await log.step(MISSED_DRILL_TASK, MISSED, async () => ({ skipped: reason }));
  await log.cancelled();
}

function missedLog(planName: string): JobLog {
  const id = asId<PlanRunInput['runId']>(uuid4());
  return jobLog({ id, kind: planJobKinds.test, subject: planName, requestedBy: SCHEDULER });
}
