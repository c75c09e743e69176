import { describe, expect, test } from '@jest/globals';
import { durationModel, type MoveTimes, type PastDurations } from '../../../domain/plan/duration-model.ts';
import type { PlanGroup, PlanStep, RecoveryPlan } from '../../../domain/plan/plan.ts';
import { quantile, resampled } from '../../../domain/plan/resample.ts';
import { simulatePlan } from '../../../domain/plan/simulation.ts';
import { playRun, type RunShape } from '../../../domain/plan/simulated-run.ts';
import { seededRandom } from '../../../domain/seeded-random.ts';

const nothing = { before: [], after: [] };
const group = (name: string, more: Partial<PlanGroup> = {}): PlanGroup => ({
  name,
  after: [],
  members: [],
  steps: nothing,
  isConsistent: false,
  ...more,
});
const step = (name: string, more: Partial<PlanStep> = {}): PlanStep => ({
  name,
  when: ['failback'],
  isCritical: true,
  timeoutSeconds: 600,
  retries: 0,
  does: { kind: 'command', on: 'site', argv: [name], environment: {}, secrets: {} },
  ...more,
});
const planOf = (groups: readonly PlanGroup[], more: Partial<RecoveryPlan> = {}): RecoveryPlan => ({
  apiVersion: 'switchback/v1',
  name: 'shop',
  groups,
  steps: nothing,
  onBusy: 'refuse',
  drill: { cleanupAfterSeconds: 3_600 },
  limits: {},
  ...more,
});
const shapeOf = (
  plan: RecoveryPlan,
  machines: readonly string[],
  kind: RunShape['kind'] = 'failback',
): RunShape => ({
  kind,
  plan,
  members: machines.map((each) => {
    const [machineName = '', inGroup = ''] = each.split('@');
    return { itemId: machineName, machineName, group: inGroup, site: 'berlin', location: 'westeurope' };
  }),
});
const noPast: PastDurations = { ofItem: new Map(), ofAny: [], ofStep: new Map() };
const moves = (...seconds: readonly number[]): MoveTimes[] => seconds.map((whole) => ({ whole }));
const options = { seed: 7, runs: 400, partsMax: 1_000_000 };

describe('one run', () => {
  const ends = (shape: RunShape, seconds: Readonly<Record<string, number>>) =>
    playRun(shape, {
      step: ({ name }) => seconds[name] ?? 0,
      machine: ({ machineName }) => seconds[machineName] ?? 0,
    }).seconds;

  test('takes as long as the longest way through its groups, with the steps of its kind', () => {
    const groups = [
      group('a', {
        after: ['b'],
        steps: { before: [step('ask')], after: [step('drills', { when: ['test'] })] },
      }),
      group('b'),
      group('c', { after: [] }),
    ];
    const shape = shapeOf(planOf(groups), ['one@a', 'two@a', 'three@b', 'four@c']);
    // On the way home b waits for a.
    expect(ends(shape, { ask: 5, drills: 100, one: 10, two: 20, three: 7, four: 31 })).toBe(32);
  });

  test('never moves more machines of a group than the plan allows at once', () => {
    const shape = shapeOf(planOf([group('a')], { limits: { machinesAtOnce: 2 } }), ['x@a', 'y@a', 'z@a']);
    expect(ends(shape, { x: 10, y: 3, z: 8 })).toBe(11);
  });

  test('makes the machines of all groups of a drill ready together; a group begins with its own', () => {
    const steps = { before: [step('ask', { when: ['test'] })], after: [] };
    const shape = shapeOf(
      planOf([group('a', { steps }), group('b', { after: ['a'] })]),
      ['x@a', 'y@b'],
      'test',
    );
    const seconds = { prepare: { x: 50, y: 80 }, start: { x: 10, y: 3 }, whole: { x: 0, y: 0 } } as const;
    const end = playRun(shape, {
      step: () => 7,
      machine: ({ machineName }, phase) => seconds[phase][machineName === 'x' ? 'x' : 'y'],
    });
    // a: 50 + 7 + 10; b is ready later than that.
    expect(end.seconds).toBe(80 + 3);
  });

  test('ends also where the cores of the plan do not suffice: that is told as a clash', () => {
    const shape = shapeOf(planOf([group('a')], { limits: { cores: 3 } }), ['x@a', 'y@a'], 'failover');
    expect(ends(shape, { x: 10, y: 20 })).toBe(20);
  });

  test('goes through groups without machines', () => {
    const chain = planOf([group('a', { after: ['b'] }), group('b', { after: ['c'] }), group('c')]);
    expect(ends(shapeOf(chain, ['x@b']), { x: 4 })).toBe(4);
  });
});

describe('drawn durations', () => {
  test('have the median and the spread of what they are drawn from, and are never negative', () => {
    const samples = [40, 55, 60, 62, 70, 75, 80, 95, 120, 240];
    const [draw, random] = [resampled(samples), seededRandom(3)];
    const drawn = Array.from({ length: 20_000 }, () => draw(random)).toSorted((a, b) => a - b);
    expect(drawn[0]).toBeGreaterThan(0);
    expect(quantile(drawn, 0.5)).toBeGreaterThan(60);
    expect(quantile(drawn, 0.5)).toBeLessThan(85);
    const logs = (values: readonly number[]) => {
      const all = values.map(Math.log);
      const mean = all.reduce((sum, each) => sum + each, 0) / all.length;
      return all.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (all.length - 1);
    };
    expect(logs(drawn) / logs(samples)).toBeCloseTo(1, 1);
  });

  test('of one sample, or of samples that are all alike, are that sample', () => {
    for (const samples of [[42], [42, 42, 42]]) expect(resampled(samples)(seededRandom(1))).toBe(42);
  });
});

describe('a simulation', () => {
  const two = shapeOf(
    planOf([group('db'), group('web', { after: ['db'] })]),
    ['db@db', 'web@web'],
    'failover',
  );

  test('is the same for the same seed, and another for another', () => {
    const model = durationModel(two, { ...noPast, ofAny: moves(50, 60, 90) }, new Set());
    const first = simulatePlan(two, model, options);
    expect(simulatePlan(two, model, options)).toEqual(first);
    expect(simulatePlan(two, model, { ...options, seed: 8 }).rtoSeconds).not.toEqual(first.rtoSeconds);
    expect(first.rtoSeconds.p90).toBeGreaterThan(first.rtoSeconds.p50);
  });

  test("draws from a machine's own moves once there are three, before that from those of all", () => {
    const ofItem = new Map([
      ['db', moves(1_000, 1_000, 1_000)],
      ['web', moves(1, 1)],
    ]);
    const home = { ...two, kind: 'failback' } as const;
    const model = durationModel(home, { ...noPast, ofItem, ofAny: moves(10, 10, 10) }, new Set());
    expect(model.assumptions).toEqual([expect.stringMatching(/^web: fewer than 3 moves of their own/)]);
    expect(model.isObserved).toBe(true);
    expect(simulatePlan(home, model, options).rtoSeconds.p50).toBe(1_010);
  });

  test('says what it assumes: moves and approvals nobody has seen, machines that are there already', () => {
    const asks = step('ask', {
      when: ['failover'],
      does: { kind: 'manual', text: 'May it?', approvers: [], onSilence: 'wait' },
    });
    const pause = step('pause', { when: ['failover'], does: { kind: 'wait', seconds: 30 } });
    const shape = { ...two, plan: { ...two.plan, steps: { before: [asks, pause], after: [] } } };
    const model = durationModel(shape, noPast, new Set(['web']));
    expect(model.assumptions).toEqual([
      'db: no machine has made this move before: assumed to take 600 s each',
      'web: there already, takes no time',
      expect.stringMatching(/^step ask: nobody has been asked yet/),
    ]);
    expect(model.isObserved).toBe(false);
    expect(simulatePlan(shape, model, options).rtoSeconds).toEqual({
      p50: 630,
      p90: 630,
      min: 630,
      max: 630,
    });
  });

  test('names the chain that decides, and the machine of each group that mostly does', () => {
    const shape = shapeOf(
      planOf([
        group('db'),
        group('web', { after: ['db'], steps: { before: [], after: [step('dns', { when: ['test'] })] } }),
      ]),
      ['db@db', 'slow@web', 'quick@web'],
      'test',
    );
    const times = (seconds: number) =>
      [0.9, 1, 1.1].map((by) => ({ whole: by * seconds, prepare: 0, start: by * seconds }));
    const ofItem = new Map([
      ['db', times(60)],
      ['slow', times(100)],
      ['quick', times(80)],
    ]);
    const model = durationModel(
      shape,
      { ofItem, ofAny: [], ofStep: new Map([['dns', [5, 5, 5]]]) },
      new Set(),
    );
    const { criticalPath } = simulatePlan(shape, model, options);
    expect(criticalPath.links.map(({ name, machine }) => [name, machine])).toEqual([
      ['db', 'db'],
      ['web', 'slow'],
      ['dns', undefined],
    ]);
    expect(criticalPath.links[1]?.share).toBeGreaterThan(0.8);
    expect(criticalPath.links[1]?.share).toBeLessThan(1);
    expect(criticalPath.share).toBe(1);
  });

  test('of a large plan plays fewer repetitions, and says how many', () => {
    const wide = planOf([group('a')]);
    const shape = shapeOf(
      wide,
      Array.from({ length: 1_000 }, (_, index) => `m${index}@a`),
    );
    const model = durationModel(shape, { ...noPast, ofAny: moves(1, 2, 3) }, new Set());
    expect(simulatePlan(shape, model, { ...options, runs: 1_000, partsMax: 120_000 }).runs).toBe(60);
  });
});
