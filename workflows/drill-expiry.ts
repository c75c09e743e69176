/**
 * Cleans up after a drill that nobody came back to.
 *
 * Theory of operation. Begun by a drill that has succeeded, it outlives it, sleeps as long as the plan says and then
 * runs the plan's cleanup, unattended, over the drills of that one run: machines that were cleaned up meanwhile, or that
 * a later drill has started again, are left alone. While another run of the plan is under way it waits for its end.
 * Nothing is asked of anybody in between, so it may be ended at any time: then nobody cleans up by itself.
 */
import { sleep } from '@temporalio/workflow';
import { asId } from '../domain/ids.ts';
import type { DrillExpiryInput, PlanRunInput } from './contracts/plan.ts';
import { runUnlessHeld } from './lib/plan/unless-held.ts';

const TRY_AGAIN_MS = 60_000;

export async function drillExpiry({ drill, afterSeconds }: DrillExpiryInput): Promise<void> {
  await sleep(afterSeconds * 1_000);
  const { runId } = drill;
  const input: PlanRunInput = {
    ...drill,
    runId: asId(`${runId}-expiry`),
    requestedBy: { principal: 'drill expiry', requestId: `${runId}-expiry` },
    kind: 'cleanup',
    unattended: true,
    onlyDrillOf: runId,
  };
  while ((await runUnlessHeld(input)) === null) await sleep(TRY_AGAIN_MS);
}
