import { describe, expect, test } from '@jest/globals';
import { readinessOfPlan, type PastRun, type PlanFacts } from '../../../domain/plan/readiness.ts';
import type { PlanGroup } from '../../../domain/plan/plan.ts';
import type { Readiness } from '../../../domain/readiness.ts';

const none = { before: [], after: [] };
const group = (name: string, ...after: string[]): PlanGroup => ({
  name,
  after,
  members: [],
  steps: none,
  isConsistent: false,
});
const member = (name: string, of: string, rto?: number, over: Partial<Readiness> = {}) => ({
  itemId: `id-${name}`,
  machineName: name,
  group: of,
  readiness: {
    ready: true,
    expectedRpoSeconds: 30,
    reasons: [],
    ...(rto === undefined ? {} : { expectedRtoSeconds: rto }),
    ...over,
  },
});
const run = (over: Partial<PastRun> = {}): PastRun => ({
  version: 3,
  itemIds: ['id-db', 'id-app', 'id-web', 'id-log'],
  digests: {},
  wasCutShort: false,
  startedAt: '2026-11-20T10:00:00.000Z',
  endedAt: '2026-11-20T10:10:00.000Z',
  ...over,
});
const cleanup = run({ startedAt: '2026-11-20T11:00:00.000Z', endedAt: '2026-11-20T11:05:00.000Z' });

/** db → app → web; log waits for db alone. */
const shop = (over: Partial<PlanFacts> = {}): PlanFacts => ({
  name: 'shop',
  version: 3,
  appliedAt: '2026-11-19T08:00:00.000Z',
  groups: [group('db'), group('app', 'db'), group('web', 'app'), group('log', 'db')],
  direction: 'out',
  members: [
    member('db', 'db', 100),
    member('app', 'app', 50),
    member('web', 'web', 20),
    member('log', 'log', 60),
  ],
  refusals: [],
  drills: [run()],
  cleanups: [cleanup],
  ...over,
});
const reason = (code: string, since?: string) => ({
  code,
  message: `${code} happened`,
  remedy: 'Do it.',
  ...(since === undefined ? {} : { since }),
});

describe('a plan', () => {
  test('takes as long as the longest way through its groups, in both directions', () => {
    expect(readinessOfPlan(shop())).toMatchObject({ ready: true, expectedRtoSeconds: 170, verified: true });
    expect(readinessOfPlan(shop({ direction: 'home' })).expectedRtoSeconds).toBe(170);
    const wide = shop().members.concat(member('log-2', 'log', 300));
    expect(readinessOfPlan(shop({ members: wide })).expectedRtoSeconds).toBe(400);
  });

  test('takes unknown time, and loses an unknown amount, when that of one machine is unknown', () => {
    const [first, ...rest] = shop().members;
    const { expectedRpoSeconds: _, ...unknown } = first?.readiness ?? { ready: true, reasons: [] };
    const rto = readinessOfPlan(shop({ members: [member('db', 'db'), ...rest] }));
    expect(rto).not.toHaveProperty('expectedRtoSeconds');
    const members = [{ ...member('db', 'db'), readiness: unknown }, ...rest];
    expect(readinessOfPlan(shop({ members }))).not.toHaveProperty('expectedRpoSeconds');
    expect(readinessOfPlan(shop({ members: [] }))).not.toHaveProperty('expectedRtoSeconds');
  });

  test('loses as much as the machine that loses most', () => {
    const members = [...shop().members, member('slow', 'web', 1, { expectedRpoSeconds: 700 })];
    expect(readinessOfPlan(shop({ members })).expectedRpoSeconds).toBe(700);
  });

  test('is ready when every machine is; reasons name the machine, the oldest first', () => {
    const late = reason('LATE', '2026-11-21T11:00:00.000Z');
    const early = reason('EARLY', '2026-11-21T10:00:00.000Z');
    const members = [
      member('db', 'db', 1, { ready: false, reasons: [late] }),
      member('web', 'web', 1, { ready: false, reasons: [early, reason('SOME')] }),
    ];
    const seen = readinessOfPlan(shop({ members }));
    expect(seen.ready).toBe(false);
    expect(seen.reasons.map(({ code, machine }) => `${machine} ${code}`)).toEqual([
      'web EARLY',
      'db LATE',
      'web SOME',
    ]);
  });

  test('that would be refused is not ready, and takes unknown time', () => {
    const seen = readinessOfPlan(shop({ refusals: ['group web, tag tier/web: selects no machine'] }));
    expect(seen).toMatchObject({ ready: false, reasons: [{ code: 'DR_PLAN_NOT_READY' }] });
    expect(seen.reasons[0]?.message).toBe('group web, tag tier/web: selects no machine');
    expect(seen.reasons[0]).not.toHaveProperty('machine');
    expect(seen).not.toHaveProperty('expectedRtoSeconds');
  });
});

describe('a plan is verified', () => {
  const why = (over: Partial<PlanFacts>) => readinessOfPlan(shop(over)).notVerified?.message;

  test('by a drill of this version with these machines that was cleaned up, and says when', () => {
    expect(readinessOfPlan(shop())).toMatchObject({
      verified: true,
      lastGoodDrillAt: '2026-11-20T10:10:00.000Z',
    });
  });

  test.each<[string, Partial<PlanFacts>]>([
    ['there was none', { drills: [] }],
    ['nobody cleaned up', { cleanups: [] }],
    ['the cleanup came before', { cleanups: [run({ startedAt: '2026-11-20T10:09:59.000Z' })] }],
    ['the cleanup left a machine out', { cleanups: [{ ...cleanup, itemIds: ['id-db'] }] }],
    ['something of the cleanup was skipped', { cleanups: [{ ...cleanup, wasCutShort: true }] }],
    ['something of the drill was skipped', { drills: [run({ wasCutShort: true })] }],
  ])('not by a drill when %s', (_, over) => {
    expect(why(over)).toBe('no drill of it has succeeded and been cleaned up');
  });

  test('not when it was edited since, and says since when', () => {
    const seen = readinessOfPlan(shop({ version: 4 }));
    expect(seen).toMatchObject({ ready: true, verified: false });
    expect(seen.notVerified).toMatchObject({
      message: 'its last good drill was of version 3, not 4',
      since: '2026-11-19T08:00:00.000Z',
    });
    expect(seen.notVerified?.remedy).toContain('`switchback plan run shop test`');
  });

  test('not when a machine changed since, and names it and what about it', () => {
    const [db, app, ...rest] = shop().members;
    const now = { 'disk 1': '8 GiB', CPUs: '4', memory: '2 GiB' };
    const members = [{ ...db, digest: now }, { ...app, digest: now }, ...rest].map((each) => each as never);
    const digests = { 'id-db': { ...now, 'disk 1': '4 GiB' }, 'id-app': now, 'id-web': now };
    expect(why({ members, drills: [run({ digests })] })).toBe(
      'since its last good drill db changed (disk 1 was 4 GiB, is 8 GiB)',
    );
    expect(why({ members, drills: [run({ digests: { 'id-db': now } })] })).toBeUndefined();
    const all = { 'disk 2': '1 GiB', 'disk 3': '1 GiB', 'disk 4': '1 GiB', 'disk 5': '1 GiB' };
    expect(why({ members, drills: [run({ digests: { 'id-db': { ...now, ...all } } })] })).toBe(
      'since its last good drill db changed (disk 2 is gone: it was 1 GiB; disk 3 is gone: it was 1 GiB; ' +
        'disk 4 is gone: it was 1 GiB; and 1 more)',
    );
  });

  test('not when machines came or left since', () => {
    const members = [...shop().members.slice(1), member('new', 'web', 1)];
    expect(why({ members })).toBe('since its last good drill new came, id-db left');
  });

  test('by the newest good drill, not by one that has not been cleaned up yet', () => {
    const open = run({
      version: 4,
      startedAt: '2026-11-21T10:00:00.000Z',
      endedAt: '2026-11-21T10:10:00.000Z',
    });
    expect(why({ version: 4, drills: [open, run()] })).toContain('of version 3');
    const closed = { ...cleanup, startedAt: '2026-11-21T11:00:00.000Z' };
    expect(why({ version: 4, drills: [run(), open], cleanups: [closed] })).toBeUndefined();
  });
});
