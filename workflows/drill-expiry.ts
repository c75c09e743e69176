/**
 * Cleans up after a drill that nobody came back to.
 *
 * Theory of operation. Begun by a drill that leaves something running, it outlives it, sleeps as long as the plan says and
 * then runs the plan's cleanup, unattended, over the drills of that one run: machines that were cleaned up meanwhile, or that
 * a later drill has started again, are left alone. While another run of the plan is under way it waits for its end; a cleanup
 * that leaves something is tried again, later each time, for a week. Nothing is asked of anybody in between, so it may be
 * ended at any time: then nobody cleans up by itself.
 */
import { sleep } from '@temporalio/workflow';
import { asId } from '../domain/ids.ts';
import type { DrillExpiryInput, PlanRunInput } from './contracts/plan.ts';
import { runUnlessHeld } from './lib/plan/unless-held.ts';

const TRY_AGAIN_MS = { first: 60_000, max: 3_600_000 } as const;
const GIVE_UP_MS = 7 * 86_400_000;

export async function drillExpiry({ drill, afterSeconds }: DrillExpiryInput): Promise<void> {
  await sleep(afterSeconds * 1_000);
  const giveUpMs = Date.now() + GIVE_UP_MS;
  let pauseMs: number = TRY_AGAIN_MS.first;
  for (let number = 1; Date.now() < giveUpMs;) {
    const cleaned = await runUnlessHeld(cleanupOf(drill, number));
    if (cleaned?.ended === 'succeeded') return;
    if (cleaned !== null) number += 1;
    await sleep(pauseMs);
    pauseMs = cleaned === null ? TRY_AGAIN_MS.first : Math.min(pauseMs * 2, TRY_AGAIN_MS.max);
  }
}

function cleanupOf(drill: PlanRunInput, number: number): PlanRunInput {
  const { runId } = drill;
  const id = `${runId}-expiry${number === 1 ? '' : `-${number}`}`;
  return {
    ...drill,
    runId: asId(id),
    requestedBy: { principal: 'drill expiry', requestId: id },
    kind: 'cleanup',
    unattended: true,
    onlyDrillOf: runId,
  };
}
