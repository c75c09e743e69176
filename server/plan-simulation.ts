/** What a run of a plan would be like: from the catalogue, from recovery points, and from what Azure says meanwhile. */
import { setImmediate as otherThings } from 'node:timers/promises';
import type { Clash } from '../domain/plan/clashes.ts';
import { durationModel, type DurationModel } from '../domain/plan/duration-model.ts';
import { memberMove } from '../domain/plan/member-move.ts';
import type { PlanRunKind } from '../domain/plan/plan.ts';
import type { StoredPlan } from '../domain/plan/stored.ts';
import type { RunShape } from '../domain/plan/simulated-run.ts';
import { simulation, type Simulation, type SimulationOptions } from '../domain/plan/simulation.ts';
import type { RunMember } from '../workflows/contracts/plan.ts';
import type { ServerDeps } from './deps.ts';
import { drillPrice } from './drill-price.ts';
import { pointAges } from './point-ages.ts';
import { refusalsOf } from './pin-plan.ts';
import { otherPlans, refusedMoves, targetClashes } from './plan-clashes.ts';
import { estateOf, membersIn, type Estate } from './plan-members.ts';

/** Half a second of processor time to one: a server has other things to do. */
const PARTS_MAX = 60_000;
/** Between two looks at what else there is to do. */
const BUSY_MS = 20;

export interface SimulationRequest {
  readonly kind: PlanRunKind;
  readonly seed: number;
  readonly runs: number;
  /** Of a drill; absent: the plan's own. */
  readonly subnetId?: string;
}

type Looked = Pick<ServerDeps, 'catalogue' | 'points' | 'runbooks' | 'log'>;

export async function simulateStoredPlan(deps: Looked, stored: StoredPlan, request: SimulationRequest) {
  const estate = await estateOf(deps.catalogue);
  const resolved = membersIn(estate, stored.plan);
  const { members } = resolved;
  const [{ shape, model, reached }, ages, busy, target] = await Promise.all([
    modelOf(deps, stored, { kind: request.kind, members, estate }),
    pointAges(deps, request.kind, members),
    otherPlans(deps, stored.name, estate, members),
    targetClashes(deps, stored.plan, request, estate, members),
  ]);
  const [played, price] = await Promise.all([
    playedOut(shape, model, { ...request, partsMax: PARTS_MAX }),
    request.kind === 'test' ? drillPrice(deps, stored, members, target.sizes) : undefined,
  ]);
  const moved = members.filter(({ itemId }) => !reached.has(itemId));
  const clashes: Clash[] = [
    ...refusalsOf(stored.plan, resolved).map((message) => ({ kind: 'plan' as const, message, machines: [] })),
    ...refusedMoves(request.kind, estate, moved),
    ...busy,
    ...target.clashes,
    ...(price?.clashes ?? []),
    ...tooLong(stored, request.kind, played),
  ];
  const worstRpo = worst(members.map(({ itemId }) => ages.seconds.get(itemId)));
  return {
    name: stored.name,
    version: stored.version,
    kind: request.kind,
    madeAt: new Date().toISOString(),
    ...played,
    ...(worstRpo === undefined ? {} : { rpoSeconds: worstRpo }),
    members: members.map(({ itemId, machineName, group }) => {
      const rpoSeconds = ages.seconds.get(itemId);
      return { itemId, machineName, group, ...(rpoSeconds === undefined ? {} : { rpoSeconds }) };
    }),
    clashes,
    assumptions: model.assumptions,
    ...(price?.cost === undefined ? {} : { cost: price.cost }),
    notChecked: [...ages.notChecked, ...target.notChecked, ...(price?.notChecked ?? [])],
  };
}

/** Machines that are where the run wants them already take no time. */
export async function modelOf(
  { catalogue }: Pick<ServerDeps, 'catalogue'>,
  { name, plan }: Pick<StoredPlan, 'name' | 'plan'>,
  {
    kind,
    members,
    estate,
  }: { readonly kind: PlanRunKind; readonly members: readonly RunMember[]; readonly estate: Estate },
): Promise<{
  readonly shape: RunShape;
  readonly model: DurationModel;
  readonly reached: ReadonlySet<string>;
}> {
  const itemIds = members.map(({ itemId }) => itemId);
  const past = await catalogue.pastDurations({ plan: name, kind, itemIds });
  const shape = { kind, plan, members };
  const reached = new Set(
    itemIds.filter((itemId) => {
      const item = estate.items.get(itemId);
      const situation = item && { state: item.state, drill: item.drill.state };
      return situation !== undefined && memberMove(kind, situation).kind === 'reached';
    }),
  );
  return { shape, model: durationModel(shape, past, reached), reached };
}

export async function playedOut(
  shape: RunShape,
  model: DurationModel,
  options: SimulationOptions,
): Promise<Simulation> {
  const repetitions = simulation(shape, model, options);
  for (let from = performance.now(); ;) {
    const { done, value } = repetitions.next();
    if (done === true) return value;
    if (performance.now() - from < BUSY_MS) continue;
    await otherThings();
    from = performance.now();
  }
}

/** A drill takes itself back when its time is up. */
function tooLong({ plan }: StoredPlan, kind: PlanRunKind, { rtoSeconds }: Simulation): Clash[] {
  const { cleanupAfterSeconds } = plan.drill;
  if (kind !== 'test' || rtoSeconds.p90 <= cleanupAfterSeconds) return [];
  const message = `drill.cleanupAfter is ${cleanupAfterSeconds} s: one drill in ten would take longer than ${Math.round(rtoSeconds.p90)} s and take itself back`;
  return [{ kind: 'time', message, machines: [] }];
}

function worst(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
