/** Order of the groups of a plan, as layers: a group may begin once every group it waits for is done. */
import type { PlanGroup, PlanRunKind } from './plan.ts';

export type PlanDirection = 'out' | 'home';

export interface OrderProblem {
  readonly group: string;
  readonly reason: string;
}

/** Which groups a group waits for. On the way home it waits for those that waited for it. */
export type Waits = Readonly<Record<string, readonly string[]>>;

/** Names used twice, unknown names, and one way round every circle. Empty: `waitsOf` and `layersOf` may be asked. */
export function orderProblems(groups: readonly PlanGroup[]): OrderProblem[] {
  const names = groups.map(({ name }) => name);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  const unknown = groups.flatMap(({ name, after }) =>
    after
      .filter((other) => !names.includes(other))
      .map((other) => ({ group: name, reason: `waits for "${other}", which is no group of the plan` })),
  );
  const problems = [...twice.map((group) => ({ group, reason: 'is named twice' })), ...unknown];
  return problems.length > 0 ? problems : circleProblems(groups);
}

export function waitsOf(groups: readonly PlanGroup[], direction: PlanDirection): Waits {
  return Object.fromEntries(
    groups.map(({ name, after }) => [
      name,
      direction === 'out'
        ? after
        : groups.filter((other) => other.after.includes(name)).map((other) => other.name),
    ]),
  );
}

/** Where machines start in Azure group by group, everything else is done for the machines of all groups at once. */
export function areMadeReadyTogether(kind: PlanRunKind, groups: readonly PlanGroup[]): boolean {
  return (kind === 'test' || kind === 'failover') && groups.length > 1;
}

/** Groups that can begin: not begun, and everything they wait for is done. In the order of the document. */
export function readyGroups(waits: Waits, begun: ReadonlySet<string>, done: ReadonlySet<string>): string[] {
  return Object.entries(waits)
    .filter(([name, after]) => !begun.has(name) && after.every((other) => done.has(other)))
    .map(([name]) => name);
}

/** The groups layer by layer, as they would begin if every group took the same time. */
export function layersOf(groups: readonly PlanGroup[], direction: PlanDirection): string[][] {
  const waits = waitsOf(groups, direction);
  const layers: string[][] = [];
  const done = new Set<string>();
  for (;;) {
    const layer = readyGroups(waits, done, done);
    if (layer.length === 0) return layers;
    layers.push(layer);
    for (const name of layer) done.add(name);
  }
}

/** What never becomes ready stands in a circle, or waits for one. */
function circleProblems(groups: readonly PlanGroup[]): OrderProblem[] {
  const ordered = new Set(layersOf(groups, 'out').flat());
  const stuck = groups.filter(({ name }) => !ordered.has(name));
  const [first] = stuck;
  if (first === undefined) return [];
  const path: string[] = [];
  for (let at: PlanGroup | undefined = first; at !== undefined && !path.includes(at.name);) {
    path.push(at.name);
    const waitsFor: readonly string[] = at.after;
    at = stuck.find(({ name }) => waitsFor.includes(name));
  }
  const last = stuck.find(({ name }) => name === path.at(-1));
  const back = path.findIndex((name) => last?.after.includes(name));
  const circle = path.slice(back);
  return [
    { group: circle[0] ?? first.name, reason: `waits for itself: ${[...circle, circle[0]].join(' → ')}` },
  ];
}
