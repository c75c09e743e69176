/**
 * What a plan means that another one does not: groups, members, steps and settings, never lines. Order counts where a
 * run follows it, between the steps of one place; comments and the order of groups and members do not.
 */
import { writtenDuration } from '../duration.ts';
import { limitWords } from './drill-cost.ts';
import { selectorWords } from './members.ts';
import type { PlanGroup, PlanStep, RecoveryPlan, StepAction, StepsAround } from './plan.ts';

/** `order`: steps that stay in a place follow each other otherwise. */
export const planParts = ['plan', 'group', 'member', 'step', 'order'] as const;
export type PlanPart = (typeof planParts)[number];

export const planChangeKinds = ['added', 'removed', 'changed'] as const;

/** One field of something that both plans have, by the name it is written with. Null: absent there. */
export interface FieldChange {
  readonly field: string;
  readonly from: string | null;
  readonly to: string | null;
}

export interface PlanChange {
  readonly change: (typeof planChangeKinds)[number];
  readonly part: PlanPart;
  /** Of the group or step; of a member, its selector; of an order, its place. */
  readonly name: string;
  /** Where it stands: `group web`, `after machine db-01`. Absent: nothing holds it. */
  readonly place?: string;
  /** Only of what has changed. */
  readonly fields?: readonly FieldChange[];
}

/** Empty: both plans do the same. Settings first, then groups, members, steps, and their order. */
export function planDiff(before: RecoveryPlan, after: RecoveryPlan): PlanChange[] {
  const [old, fresh] = [placedSteps(before), placedSteps(after)];
  return [
    ...compared('plan', [planThing(before)], [planThing(after)]),
    ...compared('group', before.groups.map(groupThing), after.groups.map(groupThing)),
    ...compared('member', memberThings(before), memberThings(after)),
    ...compared('step', old.map(stepThing), fresh.map(stepThing)),
    ...orderChanges(old, fresh),
  ];
}

/** `1 group added, 2 steps changed`; empty for no changes. */
export function changesInShort(changes: readonly Pick<PlanChange, 'change' | 'part'>[]): string {
  const counts = planParts.flatMap((part) =>
    planChangeKinds.map((change) => {
      const count = changes.filter((one) => one.part === part && one.change === change).length;
      return { part, change, count };
    }),
  );
  return counts
    .filter(({ count }) => count > 0)
    .map(({ part, change, count }) => {
      if (part === 'plan') return 'settings changed';
      return `${count} ${part}${count === 1 ? '' : 's'} ${change}`;
    })
    .join(', ');
}

type Fields = ReadonlyMap<string, string>;

interface Thing {
  /** The same thing in both plans has the same key. */
  readonly key: string;
  readonly name: string;
  readonly place?: string;
  readonly fields: Fields;
}

function compared(part: PlanPart, before: readonly Thing[], after: readonly Thing[]): PlanChange[] {
  const [old, fresh] = [byKey(before), byKey(after)];
  const told = (change: PlanChange['change'], { name, place }: Thing): PlanChange => ({
    change,
    part,
    name,
    ...(place === undefined ? {} : { place }),
  });
  const removed = before.filter(({ key }) => !fresh.has(key)).map((thing) => told('removed', thing));
  const rest = after.flatMap((thing) => {
    const earlier = old.get(thing.key);
    if (earlier === undefined) return [told('added', thing)];
    const fields = fieldChanges(earlier.fields, thing.fields);
    return fields.length === 0 ? [] : [{ ...told('changed', thing), fields }];
  });
  return [...removed, ...rest];
}

function byKey(things: readonly Thing[]): ReadonlyMap<string, Thing> {
  return new Map(things.map((thing) => [thing.key, thing]));
}

function fieldChanges(before: Fields, after: Fields): FieldChange[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((field) => ({ field, from: before.get(field) ?? null, to: after.get(field) ?? null }))
    .filter(({ from, to }) => from !== to);
}

function planThing(plan: RecoveryPlan): Thing {
  const { name, apiVersion: _, groups: __, steps: ___, drill, ...settings } = plan;
  const { costLimit, ...rest } = drill;
  const written = costLimit === undefined ? rest : { ...rest, costLimit: limitWords(costLimit) };
  return { key: 'plan', name, fields: leaves({ ...settings, drill: written }) };
}

function groupThing({ name, after, isConsistent }: PlanGroup): Thing {
  return { key: name, name, fields: leaves({ after: after.toSorted(), isConsistent }) };
}

/** A machine is in one group of a plan: one that has moved is the same member. A tag or folder may be in several. */
function memberThings({ groups }: RecoveryPlan): Thing[] {
  return groups.flatMap(({ name: group, members }) =>
    members.map((member) => {
      const name = selectorWords(member);
      const key = member.by === 'machine' ? name : `${name} in ${group}`;
      return { key, name, place: `group ${group}`, fields: leaves({ group }) };
    }),
  );
}

interface PlacedStep {
  readonly place: string;
  readonly step: PlanStep;
}

/** Names of steps are unique in a plan: one that stands elsewhere now has moved. */
function stepThing({ place, step }: PlacedStep): Thing {
  const { name, when, does, undo, ...rest } = step;
  const settings = { place, when: when.toSorted(), ...rest, ...actionFields(does) };
  const undoing = undo === undefined ? {} : { undo: actionFields(undo) };
  return { key: name, name, place, fields: leaves({ ...settings, ...undoing }) };
}

function orderChanges(before: readonly PlacedStep[], after: readonly PlacedStep[]): PlanChange[] {
  const [old, fresh] = [namesByPlace(before), namesByPlace(after)];
  return [...fresh].flatMap(([place, names]): PlanChange[] => {
    const earlier = old.get(place) ?? [];
    const from = earlier.filter((name) => names.includes(name)).join(', ');
    const to = names.filter((name) => earlier.includes(name)).join(', ');
    const fields = [{ field: 'steps', from, to }];
    return from === to ? [] : [{ change: 'changed', part: 'order', name: place, fields }];
  });
}

function namesByPlace(steps: readonly PlacedStep[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { place, step } of steps) found.set(place, [...(found.get(place) ?? []), step.name]);
  return found;
}

function placedSteps({ steps, groups }: RecoveryPlan): PlacedStep[] {
  const around = (of: string, { before, after }: StepsAround) => [
    ...before.map((step) => ({ place: `before ${of}`, step })),
    ...after.map((step) => ({ place: `after ${of}`, step })),
  ];
  return [
    ...around('the run', steps),
    ...groups.flatMap((group) => [
      ...around(`group ${group.name}`, group.steps),
      ...group.members.flatMap((member) =>
        member.by === 'machine' ? around(`machine ${member.machine}`, member.steps) : [],
      ),
    ]),
  ];
}

/** As it is written: the kind is the key. */
function actionFields({ kind, ...action }: StepAction): Readonly<Record<string, unknown>> {
  if ('probe' in action) return action;
  return { [kind]: 'seconds' in action ? writtenDuration(action.seconds) : action };
}

const writtenNames: Readonly<Record<string, string>> = {
  isConsistent: 'consistent',
  isCritical: 'critical',
  timeoutSeconds: 'timeout',
  cleanupAfterSeconds: 'cleanupAfter',
  subnetId: 'subnet',
};

/** Every value by its path, under the names it is written with; lists as JSON, so that no two read the same. */
function leaves(value: object, path = ''): Fields {
  const entries = Object.entries(value).flatMap(([key, inner]: [string, unknown]): [string, string][] => {
    const field = `${path}${writtenNames[key] ?? key}`;
    if (typeof inner === 'number' && key.endsWith('Seconds')) return [[field, writtenDuration(inner)]];
    if (typeof inner !== 'object' || inner === null) return [[field, String(inner)]];
    return Array.isArray(inner) ? [[field, JSON.stringify(inner)]] : [...leaves(inner, `${field}.`)];
  });
  return new Map(entries);
}
