/** Cancels a run at every step of every runbook, in every way that is offered there, and says where it ended. */
import { isProtectionOver, type ItemState } from '../../../domain/protected-item.ts';
import { isAt, lastOfSteps, momentsOf, play, scenarios, type Moment, type Scenario } from './scenarios.ts';
import type { Rig } from './rig.ts';
import type { ActivityCall } from './sandbox-activities.ts';

/** `held`: first held, then as the other word says. */
export const ways = ['rollBack', 'held, rollBack', 'held, finish'] as const;
export type Way = (typeof ways)[number];

export interface Cancelled {
  readonly scenario: string;
  readonly step: string;
  /** Activity that was cut short. */
  readonly activity: string;
  readonly way: Way;
  /** Not offered there: the run is past its point of no return. */
  readonly refused: boolean;
  readonly state: ItemState;
  readonly drill: string;
  /** Operations that are possible then. */
  readonly leadsOn: readonly string[];
  readonly violations: readonly string[];
  readonly isOver: boolean;
  /** An undo failed and was given up: the operation that leads on finds what is left. */
  readonly isGivenUp: boolean;
}

/** What a step that calls nobody may wait for: that the item's sessions end. */
const SESSIONS = 'sessions';

/** One moment of each step that takes time: the last of its activities, or the end of the sessions. */
export async function stepsOf(scenario: Scenario): Promise<Moment[]> {
  const moments = await momentsOf(scenario);
  const last = lastOfSteps(moments);
  const waiting = await waitsForSessions(scenario);
  return waiting === undefined ? last : [{ step: waiting, activity: SESSIONS, nth: 1 }, ...last];
}

async function waitsForSessions(scenario: Scenario): Promise<string | undefined> {
  const { rig, id } = await playAt(scenario, { step: '', activity: SESSIONS, nth: 1 });
  const { tasks } = await rig.job(id);
  const step = rig.isOver(id) ? undefined : tasks.findLast(({ state }) => state === 'inProgress')?.id;
  await rig.driver.dispose();
  return step;
}

function isSessionOfItem({ name, workflowId }: ActivityCall): boolean {
  return name !== 'watchHome' && workflowId.startsWith('protected-item/');
}

/** The run waits at the moment: its activity has done its work and does not answer, or sessions do not end. */
function playAt(scenario: Scenario, moment: Moment) {
  if (moment.activity === SESSIONS) return play(scenario, undefined, (call) => !isSessionOfItem(call));
  const isIt = isAt(moment);
  return play(scenario, (call) => (isIt(call) ? { kind: 'hold', works: true } : { kind: 'run' }));
}

export async function cancelAt(scenario: Scenario, moment: Moment, way: Way): Promise<Cancelled> {
  const { rig, id } = await playAt(scenario, moment);
  try {
    const [first, second] = way === 'rollBack' ? (['rollBack'] as const) : wayHeld(way);
    let refused = (await rig.decide(id, first)) !== undefined;
    await rig.driver.settle();
    if (second !== undefined) {
      refused = (await rig.decide(id, second)) !== undefined;
      await rig.driver.settle();
    }
    if (refused) await finish(rig, id, second !== undefined);
    await endSessions(rig);
    const isGivenUp = !rig.isOver(id) && (await rig.decide(id, 'abandon')) === undefined;
    await rig.driver.settle();
    const found = await foundAfter(rig);
    const { name } = scenario;
    return { ...found, ...moment, scenario: name, way, refused, isGivenUp, isOver: rig.isOver(id) };
  } finally {
    await rig.driver.dispose();
  }
}

/** Those that have not heard of their cancellation end by themselves. */
async function endSessions(rig: Rig): Promise<void> {
  rig.hears = () => true;
  for (const call of rig.deaf.splice(0)) rig.driver.resolve(call, { outcome: 'sessionEnded' });
  await rig.driver.settle();
}

function wayHeld(way: 'held, rollBack' | 'held, finish') {
  return way === 'held, finish' ? (['hold', 'finish'] as const) : (['hold', 'rollBack'] as const);
}

/** What is not cancelled goes on. */
async function finish(rig: Rig, id: Parameters<Rig['decide']>[0], isHeld: boolean): Promise<void> {
  if (isHeld) await rig.decide(id, 'finish');
  for (const call of rig.driver.pending()) {
    if (call.workflowId === rig.runOf(id)) rig.driver.resolve(call);
  }
  await rig.driver.settle();
}

async function foundAfter(rig: Rig) {
  const { state, drill, allowedOperations } = await rig.view();
  return {
    state,
    drill: drill.state,
    leadsOn: allowedOperations.filter(({ allowed }) => allowed).map(({ operation }) => operation),
    violations: rig.world.violations,
  };
}

export async function cancelEverywhere(): Promise<Cancelled[]> {
  const table: Cancelled[] = [];
  for (const scenario of scenarios.filter(({ isVariant }) => !isVariant)) {
    for (const moment of await stepsOf(scenario)) {
      for (const way of ways) {
        table.push(await cancelAt(scenario, moment, way));
      }
    }
  }
  return table;
}

/** Something is possible, or the item has come to its end. */
export function isLeft({ state, leadsOn }: Cancelled): boolean {
  return leadsOn.length > 0 || isProtectionOver(state);
}
