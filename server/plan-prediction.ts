/** What the simulation says of a run that is about to begin, so that its evidence can tell what came of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { randomInt } from 'node:crypto';
import type { PredictionRecord } from '../domain/evidence/record.ts';
import type { DurationModel } from '../domain/plan/duration-model.ts';
import type { PlanRunKind } from '../domain/plan/plan.ts';
import type { RecoveryPointChoice } from '../domain/replication.ts';
import type { RunShape } from '../domain/plan/simulated-run.ts';
import type { PlanRunInput } from '../workflows/contracts/plan.ts';
import type { ServerDeps } from './deps.ts';
import { estateOf } from './plan-members.ts';
import { modelOf, playedOut } from './plan-simulation.ts';
import { pointAges } from './point-ages.ts';

/** On the worst night nobody waits for a prediction. */
const WITHIN_MS = 3_000;
const SEEDS = 2 ** 31;
const RUNS = 400;
const PARTS_MAX = 30_000;

/** Runs that bring an application up on another side: the others have no RTO. */
const predicted: readonly PlanRunKind[] = ['test', 'failover', 'failback'];

/** Those that take the newest recovery point. */
const newest: readonly RecoveryPointChoice['kind'][] = ['latest', 'latestProcessed'];

type Begun = Pick<PlanRunInput, 'kind' | 'plan' | 'members' | 'choice'>;

/**
 * Undefined: nothing can be said, or not soon enough. Times are there only when every machine and step has earlier
 * runs behind it; the RPO only when every machine takes its newest recovery point. Never fails.
 */
export async function predictionOf(
  deps: Pick<ServerDeps, 'catalogue' | 'points' | 'log'>,
  begun: Begun,
): Promise<PredictionRecord | undefined> {
  if (!predicted.includes(begun.kind)) return undefined;
  const stop = new AbortController();
  try {
    return await Promise.race([predict(deps, begun), sleep(WITHIN_MS, undefined, { signal: stop.signal })]);
  } catch (error) {
    deps.log.warn({ err: error, plan: begun.plan.name }, 'a run begins without a prediction');
    return undefined;
  } finally {
    stop.abort();
  }
}

async function predict(
  deps: Pick<ServerDeps, 'catalogue' | 'points'>,
  { kind, plan, members, choice }: Begun,
): Promise<PredictionRecord | undefined> {
  const estate = await estateOf(deps.catalogue);
  const [{ shape, model }, ages] = await Promise.all([
    modelOf(deps, { name: plan.name, plan: plan.plan }, { kind, members, estate }),
    pointAges(deps, kind, members),
  ]);
  const takesNewest = newest.includes(choice.kind) && members.every(({ pointId }) => pointId === undefined);
  const isRpoKnown = takesNewest && members.length > 0 && ages.seconds.size === members.length;
  const rpo = isRpoKnown ? { rpoSeconds: Math.max(...ages.seconds.values()) } : {};
  const rto = model.isObserved ? await rtoOf(shape, model) : {};
  const said = { ...rto, ...rpo };
  return Object.keys(said).length === 0 ? undefined : { ...said, madeAt: new Date().toISOString() };
}

async function rtoOf(shape: RunShape, model: DurationModel) {
  const { rtoSeconds } = await playedOut(shape, model, {
    seed: randomInt(SEEDS),
    runs: RUNS,
    partsMax: PARTS_MAX,
  });
  return { rtoSecondsP50: rtoSeconds.p50, rtoSecondsP90: rtoSeconds.p90 };
}
