/** Readiness as it is now: from the catalogue, and from the recovery points that the storage account lists. */
import type { ProtectedItemId } from '../domain/ids.ts';
import { directionOfRun } from '../domain/plan/member-move.ts';
import { readinessOfPlan } from '../domain/plan/readiness.ts';
import type { StoredPlan } from '../domain/plan/stored.ts';
import { nextMove, readinessOfItem, rtoKinds, type ItemEvidence } from '../domain/readiness.ts';
import type { ItemView } from '../workflows/contracts/types.ts';
import type { ItemRun, PlanRunRow } from './catalogue/past-runs.ts';
import type { ServerDeps } from './deps.ts';
import { isStorageAway, newestReadable } from './newest-point.ts';
import { estateOf, membersIn, type Estate } from './plan-members.ts';
import { refusalsOf } from './pin-plan.ts';
import { drillsOf } from './plan-verification.ts';
import { problemOf } from './problem.ts';

/** Reads of the storage account at the same time. */
const READS_MAX = 16;

export type Looked = Pick<ServerDeps, 'catalogue' | 'points' | 'log'>;
type ItemAnswer = ReturnType<typeof itemAnswerOf>;

export async function readinessOfAll(deps: Looked) {
  const [estate, plans] = await Promise.all([estateOf(deps.catalogue), deps.catalogue.newestPlans()]);
  const at = new Date().toISOString();
  const [items, runs] = await Promise.all([
    itemsOf(deps, [...estate.items.values()], at),
    deps.catalogue.pastRunsOfPlans(plans.map(({ name }) => name)),
  ]);
  const answers = plans.map((plan) => planAnswer(plan, { estate, items, runs }));
  return { at, items: [...items.values()], plans: answers.map(({ summary }) => summary) };
}

/** What is ready and why not, with the items it was worked out from. Reads no earlier runs: they tell times and proofs only. */
export async function whatIsReady(deps: Looked) {
  const [estate, plans] = await Promise.all([estateOf(deps.catalogue), deps.catalogue.newestPlans()]);
  const views = [...estate.items.values()];
  const points = await newestPoints(deps, views);
  const items = itemAnswers(views, { at: new Date().toISOString(), points, runs: [] });
  const answers = plans.map((plan) => planAnswer(plan, { estate, items, runs: [] }));
  return {
    estate,
    items: [...items.values()].map(({ itemId, machineName, ready, reasons }) => ({
      itemId,
      machineName,
      ready,
      reasons,
    })),
    plans: answers.map(({ summary: { name, ready, reasons } }) => ({ name, ready, reasons })),
  };
}

export async function readinessOfStoredPlan(deps: Looked, stored: StoredPlan) {
  const estate = await estateOf(deps.catalogue);
  const taken = membersIn(estate, stored.plan).members;
  const views = taken.flatMap(({ itemId }) => estate.items.get(itemId) ?? []);
  const [items, runs] = await Promise.all([
    itemsOf(deps, views, new Date().toISOString()),
    deps.catalogue.pastRunsOfPlans([stored.name]),
  ]);
  const { summary, members } = planAnswer(stored, { estate, items, runs });
  return { ...summary, members };
}

interface Known {
  readonly estate: Estate;
  readonly items: ReadonlyMap<ProtectedItemId, ItemAnswer>;
  readonly runs: readonly PlanRunRow[];
}

function planAnswer({ name, version, appliedAt, plan }: StoredPlan, { estate, items, runs }: Known) {
  const resolved = membersIn(estate, plan);
  const members = resolved.members.flatMap(({ itemId, group, digest }) => {
    const item = items.get(itemId);
    return item === undefined ? [] : [{ ...item, group, ...(digest === undefined ? {} : { digest }) }];
  });
  const isAway = members.length > 0 && members.every(({ nextMove }) => nextMove === 'failback');
  const readiness = readinessOfPlan({
    name,
    version,
    appliedAt,
    groups: plan.groups,
    direction: directionOfRun[isAway ? 'failback' : 'failover'],
    members: members.map((item) => ({ ...item, readiness: item })),
    refusals: refusalsOf(plan, resolved),
    ...drillsOf(name, runs),
  });
  return { summary: { name, version, ...readiness }, members };
}

async function itemsOf(deps: Looked, views: readonly ItemView[], at: string) {
  const [runs, points] = await Promise.all([
    deps.catalogue.pastRunsOfItems(views.map(({ itemId }) => itemId)),
    newestPoints(deps, views),
  ]);
  return itemAnswers(views, { at, points, runs });
}

function itemAnswers(
  views: readonly ItemView[],
  {
    at,
    points,
    runs,
  }: {
    readonly at: string;
    readonly points: ReadonlyMap<ProtectedItemId, PointsSeen>;
    readonly runs: readonly ItemRun[];
  },
) {
  const ofItem = Map.groupBy(runs, ({ itemId }) => itemId);
  return new Map(
    views.map((view) => {
      const seen = { now: at, ...points.get(view.itemId) };
      return [view.itemId, itemAnswerOf(view, seen, ofItem.get(view.itemId) ?? [])];
    }),
  );
}

function itemAnswerOf(view: ItemView, seen: Omit<ItemEvidence, 'rtoSeconds'>, runs: readonly ItemRun[]) {
  const { itemId, machineName } = view;
  const move = nextMove(view);
  const timed: readonly string[] = rtoKinds[move];
  const rtoSeconds = runs.filter(({ kind }) => timed.includes(kind)).map((run) => run.rtoSeconds);
  return { itemId, machineName, nextMove: move, ...readinessOfItem(view, { ...seen, rtoSeconds }) };
}

type PointsSeen = Pick<ItemEvidence, 'newestPointTime' | 'pointsProblem'>;

/**
 * Of items that would fail over. What is on its way home is asked of nobody: its points lie on premises. After a storage
 * account that is away it is not asked again: the problem is that of every item that was not asked about.
 */
async function newestPoints(deps: Looked, views: readonly ItemView[]) {
  const seen = new Map<ProtectedItemId, PointsSeen>();
  const queue = views.filter((view) => nextMove(view) === 'failover').values();
  let away: PointsSeen | undefined;
  const readNext = async () => {
    for (const { itemId } of queue) {
      const known = away ?? (await newestPoint(deps, itemId));
      if (known.pointsProblem !== undefined) away ??= known;
      seen.set(itemId, known);
    }
  };
  await Promise.all(Array.from({ length: READS_MAX }, readNext));
  return seen;
}

async function newestPoint({ points, log }: Looked, itemId: ProtectedItemId): Promise<PointsSeen> {
  try {
    const newest = await newestReadable(points, itemId);
    return newest === undefined ? {} : { newestPointTime: newest.sourceTime };
  } catch (error) {
    if (!isStorageAway(error)) throw error;
    log.warn({ err: error, item: itemId }, 'recovery points cannot be read');
    return { pointsProblem: problemOf(error) };
  }
}
