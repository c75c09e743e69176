/** One way or more to play each runbook, each from an item at rest that was brought there by the runbooks before it. */
import { DrError } from '../../../domain/errors.ts';
import type { OperationId } from '../../../domain/ids.ts';
import type { ItemOperation } from '../../../domain/protected-item.ts';
import { DEVICE_KEYS } from './world/samples.ts';
import type { Harmless } from './ending.ts';
import { Rig, type Checkpoint, type OperationInput } from './rig.ts';
import type { ActivityCall } from './sandbox-activities.ts';

export interface Scenario {
  readonly name: string;
  /** Workflow type of the runbook. */
  readonly book: string;
  readonly from: Place;
  /** Differs from another scenario of its runbook in a few steps only. */
  readonly isVariant: boolean;
  /** What rolling back may leave as it is, because nothing is lost by it. */
  readonly leaves: readonly Harmless[];
  start(rig: Rig): Promise<{ readonly id: OperationId; readonly refused?: string }>;
}

const IN_A_PLAN = 'testFailover in a plan';
const LATEST = { kind: 'latest' } as const;
const ALTERNATE = { alternate: { datastore: 'ds', network: 'lan' } };

/** How an item gets to each place from the place before it; guests write before each step. */
const ways = {
  protected: [null, async () => undefined],
  drilled: ['protected', (rig) => rig.run('testFailover', { choice: LATEST, subnetId: '/subnets/drill' })],
  paused: ['protected', (rig) => rig.run('pause', {})],
  disabling: ['protected', (rig) => killed(rig, 'disable', {}, 'purgeItem')],
  failoverFailed: [
    'protected',
    (rig) => killed(rig, 'failover', { choice: LATEST, shutdownSource: true }, 'beginVm'),
  ],
  /** As above, but its machine runs. */
  failoverLost: [
    'protected',
    (rig) => killed(rig, 'failover', { choice: LATEST, shutdownSource: true }, 'awaitVmRunning'),
  ],
  changeLost: [
    'failedOver',
    (rig) => killed(rig, 'changeRecoveryPoint', { choice: LATEST }, 'awaitVmRunning'),
  ],
  failedOver: ['protected', (rig) => rig.run('failover', { choice: LATEST, shutdownSource: true })],
  committed: ['failedOver', (rig) => rig.run('commit', {})],
  protectedReverse: ['committed', (rig) => rig.run('reprotect', { place: {} })],
  elsewhere: ['committed', (rig) => rig.run('reprotect', { place: ALTERNATE })],
  failedBack: ['protectedReverse', (rig) => rig.run('failback', {})],
  failedBackCommitted: ['failedBack', (rig) => rig.run('commit', {})],
} as const satisfies Record<string, readonly [string | null, (rig: Rig) => Promise<unknown>]>;

export type Place = keyof typeof ways;
export const places = Object.keys(ways) as Place[];

/** A run that is ended by force when it comes to an activity. */
async function killed<O extends ItemOperation>(
  rig: Rig,
  operation: O,
  input: OperationInput<O>,
  at: string,
): Promise<void> {
  rig.fate = ({ name }) => ({ kind: name === at ? 'hold' : 'run' });
  const id = await rig.run(operation, input);
  rig.driver.terminate(rig.runOf(id));
  rig.fate = () => ({ kind: 'run' });
  await rig.driver.settle();
}

const reached = new Map<Place, Promise<Checkpoint>>();

/** What an item and its world are at a place; made once. */
export function at(place: Place): Promise<Checkpoint> {
  const known = reached.get(place);
  if (known !== undefined) return known;
  const made = reach(place);
  reached.set(place, made);
  return made;
}

async function reach(place: Place): Promise<Checkpoint> {
  const [before, go] = ways[place];
  const rig = before === null ? await Rig.protected() : await Rig.at(await at(before));
  try {
    rig.world.guestsWrite();
    await go(rig);
    const checkpoint = await rig.checkpoint();
    const { violations } = rig.world;
    if (violations.length > 0) throw new Error(`on the way to ${place}: ${violations.join('; ')}`);
    return checkpoint;
  } finally {
    await rig.driver.dispose();
  }
}

function scenario<O extends ItemOperation>(
  book: string,
  from: Place,
  operation: O,
  input: OperationInput<O>,
  name = `${operation} from ${from}`,
): Scenario {
  const leaves = [...(harmless[book] ?? []), ...(harmless[from] ?? [])];
  return {
    name,
    book,
    from,
    leaves,
    isVariant: variants.includes(name),
    start: (rig) => rig.book(operation, input),
  };
}

/** Its turn comes at once. */
function inPlan(): Scenario {
  const input = { choice: LATEST, subnetId: '/subnets/drill', startWhenTold: true } as const;
  const drill = scenario('failover', 'protected', 'testFailover', input, IN_A_PLAN);
  return {
    ...drill,
    async start(rig) {
      const booked = await drill.start(rig);
      if (booked.refused === undefined) {
        await rig.driver.update(rig.runOf(booked.id), 'turn', { comes: true });
      }
      return booked;
    },
  };
}

/** What the runbooks say themselves that rolling back leaves; by runbook, and by the place it starts from. */
const harmless: Readonly<Record<string, readonly Harmless[]>> = {
  // Disks at home may have been written to: a later reprotect compares them.
  reprotect: ['homeDisks'],
  // The replica is only brought nearer to the source.
  reEnable: ['replica', 'homeDisks'],
  resync: ['replica', 'homeDisks'],
  // What still waits is applied first.
  verify: ['replica'],
  commit: ['staged'],
  // Of a machine that is off.
  failback: ['networks'],
  cleanup: ['drill'],
  failoverFailed: ['garbage'],
  failoverLost: ['garbage'],
  changeLost: ['garbage'],
};

const variants: readonly string[] = [
  IN_A_PLAN,
  'failover to the newest processed point',
  'failover from failoverFailed',
  'changeRecoveryPoint from changeLost',
  'rollback from failoverFailed',
  'failback from elsewhere',
  'pause from protectedReverse',
  'disable from elsewhere',
];

export const scenarios: readonly Scenario[] = [
  scenario('failover', 'protected', 'testFailover', { choice: LATEST, subnetId: '/subnets/drill' }),
  inPlan(),
  scenario('failover', 'protected', 'failover', { choice: LATEST, shutdownSource: true }),
  scenario(
    'failover',
    'protected',
    'failover',
    { choice: { kind: 'latestProcessed' }, shutdownSource: true },
    'failover to the newest processed point',
  ),
  scenario('failover', 'failoverFailed', 'failover', { choice: LATEST, shutdownSource: true }),
  scenario('failover', 'failoverLost', 'failover', { choice: LATEST, shutdownSource: true }),
  scenario('failover', 'failedOver', 'changeRecoveryPoint', { choice: LATEST }),
  scenario('failover', 'changeLost', 'changeRecoveryPoint', { choice: LATEST }),
  scenario('cleanup', 'drilled', 'cleanupTestFailover', { notes: 'done' }),
  scenario('rollback', 'failedOver', 'rollback', {}),
  scenario('rollback', 'failoverFailed', 'rollback', {}),
  scenario('rollback', 'failoverLost', 'rollback', {}),
  scenario('rollback', 'changeLost', 'rollback', {}),
  scenario('commit', 'failedOver', 'commit', {}),
  scenario('completeMigration', 'committed', 'completeMigration', {}),
  scenario('reprotect', 'committed', 'reprotect', { place: {} }),
  scenario('reprotect', 'committed', 'reprotect', { place: ALTERNATE }, 'reprotect to another place'),
  scenario('failback', 'protectedReverse', 'failback', {}),
  scenario('failback', 'elsewhere', 'failback', {}),
  scenario('cancelFailback', 'failedBack', 'cancelFailback', {}),
  scenario('commitFailback', 'failedBack', 'commit', {}),
  scenario('reEnable', 'failedBackCommitted', 'reEnable', {}),
  scenario('resync', 'protected', 'resync', {}),
  scenario('resync', 'protectedReverse', 'resync', {}),
  scenario('verify', 'protected', 'verify', { choice: LATEST }),
  scenario('updateSettings', 'protected', 'updateSettings', { target: { vmSize: 'Standard_D4s_v5' } }),
  scenario('addDisks', 'protected', 'addDisks', { deviceKeys: [2_003] }),
  scenario('excludeDisks', 'protected', 'excludeDisks', { deviceKeys: [DEVICE_KEYS[1] ?? 0] }),
  scenario('pause', 'protected', 'pause', {}),
  scenario('pause', 'protectedReverse', 'pause', {}),
  scenario('resume', 'paused', 'resume', {}),
  scenario('disable', 'protected', 'disable', {}),
  scenario('disable', 'protectedReverse', 'disable', {}),
  scenario('disable', 'elsewhere', 'disable', {}),
  scenario('disable', 'disabling', 'purge', {}, 'purge'),
];

/** The nth activity of that name that a run asks for. */
export interface Moment {
  readonly step: string;
  readonly activity: string;
  /** From 1. */
  readonly nth: number;
}

export interface Played {
  readonly rig: Rig;
  readonly id: OperationId;
}

/** Books the scenario's operation; `fate` is asked about activities of its run only. */
export async function play(
  scenario: Scenario,
  fate: (call: ActivityCall, rig: Rig) => ReturnType<Rig['fate']> = () => ({ kind: 'run' }),
  hears: Rig['hears'] = () => true,
): Promise<Played> {
  const rig = await Rig.at(await at(scenario.from));
  rig.hears = hears;
  rig.world.guestsWrite();
  rig.calls.length = 0;
  rig.fate = (call) => (call.workflowId === rig.entity ? { kind: 'run' } : fate(call, rig));
  const { id, refused } = await scenario.start(rig);
  if (refused !== undefined) throw new Error(`${scenario.name} is refused: ${refused}`);
  await rig.driver.settle();
  return { rig, id };
}

const known = new Map<string, Promise<Moment[]>>();

/** Every activity of the scenario's run, with the step that asks for it. */
export function momentsOf(scenario: Scenario): Promise<Moment[]> {
  const found = known.get(scenario.name) ?? findMoments(scenario);
  known.set(scenario.name, found);
  return found;
}

async function findMoments(scenario: Scenario): Promise<Moment[]> {
  const moments: Moment[] = [];
  const { rig } = await play(scenario, async (call, { driver }) => {
    const { tasks } = await driver.query<{ tasks: { id: string; state: string }[] }>(call.workflowId, 'job');
    const step = tasks.findLast(({ state }) => state === 'inProgress')?.id ?? '';
    const nth = moments.filter(({ activity }) => activity === call.name).length + 1;
    moments.push({ step, activity: call.name, nth });
    return { kind: 'run' };
  });
  await rig.driver.dispose();
  return moments;
}

/** True once, at the moment. */
export function isAt({ activity, nth }: Moment): (call: ActivityCall) => boolean {
  let seen = 0;
  return ({ name }) => {
    if (name !== activity) return false;
    seen += 1;
    return seen === nth;
  };
}

/** The last moment of each step. */
export function lastOfSteps(moments: readonly Moment[]): Moment[] {
  return moments.filter(({ step }, index) => moments.findLastIndex((each) => each.step === step) === index);
}

/** An error that no retry helps. */
export const trouble = new DrError('DR_VCENTER_NO_PERMISSION', { privilege: 'p', entity: 'e' });
