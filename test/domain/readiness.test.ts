import { describe, expect, test } from '@jest/globals';
import { allowedOperations, itemStates, type ItemState } from '../../domain/protected-item.ts';
import { activeLocations } from '../../domain/item-states.ts';
import { oldestFirst, readinessOfItem, type ItemEvidence, type ItemFacts } from '../../domain/readiness.ts';

const NOW = '2026-11-21T12:00:00.000Z';

function item(over: Partial<ItemFacts> & { state?: ItemState } = {}): ItemFacts {
  const { state = 'protected' } = over;
  return {
    machineName: 'web-01',
    state,
    activeLocation: activeLocations[state],
    conditions: [],
    drill: { state: 'none' },
    allowedOperations: allowedOperations({
      state,
      drill: over.drill?.state ?? 'none',
      hasRecoveryPoint: true,
      paused: false,
      diverged: false,
    }),
    spec: { policy: { rpoThresholdSeconds: 900 } },
    ...over,
  };
}

const look = (facts: ItemFacts, over: Partial<ItemEvidence> = {}) =>
  readinessOfItem(facts, {
    now: NOW,
    newestPointTime: '2026-11-21T11:59:10.000Z',
    rtoSeconds: [],
    ...over,
  });
const codes = (facts: ItemFacts, over?: Partial<ItemEvidence>) =>
  look(facts, over).reasons.map(({ code }) => code);
const condition = (over: Partial<ItemFacts['conditions'][number]>) => ({
  type: 'DR_VCENTER_UNREACHABLE',
  category: 'critical' as const,
  reason: 'vCenter does not answer',
  suggestion: 'Look at the network.',
  since: '2026-11-21T11:00:00.000Z',
  ...over,
});

describe('an item', () => {
  test('that is protected, well and has a fresh point is ready, losing what is younger than the point', () => {
    expect(look(item())).toEqual({ ready: true, expectedRpoSeconds: 50, reasons: [] });
  });

  test('is expected to take the median of its earlier runs, and nothing is invented without any', () => {
    expect(look(item(), { rtoSeconds: [300, 60, 90] })).toMatchObject({ expectedRtoSeconds: 90 });
    expect(look(item(), { rtoSeconds: [60, 90] })).toMatchObject({ expectedRtoSeconds: 75 });
    expect(look(item())).not.toHaveProperty('expectedRtoSeconds');
  });

  test.each(itemStates)('in state %s is ready exactly when its next move is allowed there', (state) => {
    const { ready, reasons } = look(item({ state }));
    const isAllowed = ['protected', 'failingOver', 'failoverFailed', 'protectedReverse', 'failingBack'];
    expect(ready).toBe(isAllowed.includes(state));
    for (const { message, remedy } of reasons) {
      expect(message).toContain('web-01');
      expect(remedy).not.toBe('');
    }
  });

  test('that waits for something to be done says the command', () => {
    const [reason] = look(item({ state: 'committed' })).reasons;
    expect(reason?.message).toContain('failback is not possible for "web-01": the failover is committed');
    expect(reason?.remedy).toContain('`switchback item reprotect web-01`');
  });

  test('that runs in Azure loses an amount that nobody knows: its old points do not count', () => {
    expect(look(item({ state: 'protectedReverse' }))).toEqual({ ready: true, reasons: [] });
  });

  test('that is in a critical condition is not ready; a warning alone changes nothing', () => {
    expect(look(item({ conditions: [condition({})] })).reasons).toEqual([
      {
        code: 'DR_VCENTER_UNREACHABLE',
        message: 'vCenter does not answer',
        remedy: 'Look at the network.',
        since: '2026-11-21T11:00:00.000Z',
      },
    ]);
    expect(codes(item({ conditions: [condition({ category: 'warning' })] }))).toEqual([]);
  });

  test('without a recovery point is not ready, and loses an unknown amount', () => {
    const { newestPointTime: _, ...none } = { newestPointTime: NOW, now: NOW, rtoSeconds: [] };
    const seen = readinessOfItem(item(), none);
    expect(seen).toMatchObject({ ready: false, reasons: [{ code: 'DR_POINT_NONE' }] });
    expect(seen).not.toHaveProperty('expectedRpoSeconds');
  });

  test('whose points cannot be read now is not ready for that reason alone', () => {
    const pointsProblem = { code: 'DR_STORAGE_UNREACHABLE', message: 'away', remedy: 'Check the network.' };
    expect(readinessOfItem(item(), { now: NOW, pointsProblem, rtoSeconds: [] })).toEqual({
      ready: false,
      reasons: [pointsProblem],
    });
  });

  test('whose newest point is older than its policy allows is not ready since that was so', () => {
    const old = { newestPointTime: '2026-11-21T11:00:00.000Z' };
    expect(look(item(), old)).toMatchObject({
      ready: false,
      expectedRpoSeconds: 3_600,
      reasons: [{ code: 'DR_HEALTH_RPO_EXCEEDED', since: '2026-11-21T11:15:00.000Z' }],
    });
    expect(codes(item(), { newestPointTime: '2026-11-21T11:45:00.000Z' })).toEqual([]);
    const late = condition({ type: 'DR_HEALTH_RPO_EXCEEDED', category: 'warning' });
    expect(codes(item({ conditions: [late] }), old)).toEqual(['DR_HEALTH_RPO_EXCEEDED']);
  });

  test('whose source clock is ahead loses nothing, never less', () => {
    expect(look(item(), { newestPointTime: '2026-11-21T12:00:30.000Z' }).expectedRpoSeconds).toBe(0);
  });

  test.each(['failed', 'cleanupFailed'] as const)('whose drill is %s is to be cleaned up first', (state) => {
    const [reason] = look(item({ drill: { state } })).reasons;
    expect(reason).toMatchObject({ code: 'DR_DRILL_LEFT' });
    expect(reason?.remedy).toContain('`switchback item cleanup web-01`');
  });

  test('whose drill runs is ready: a failover does not wait for it', () => {
    expect(codes(item({ drill: { state: 'running' } }))).toEqual([]);
  });
});

test('reasons are told the oldest first, those of unknown age last and in their order', () => {
  const reason = (code: string, since?: string) => ({
    code,
    message: code,
    remedy: code,
    ...(since === undefined ? {} : { since }),
  });
  const told = oldestFirst([
    reason('x'),
    reason('new', '2026-11-21T11:00:00.000Z'),
    reason('y'),
    reason('old', '2026-11-20T23:00:00.000Z'),
  ]);
  expect(told.map(({ code }) => code)).toEqual(['old', 'new', 'x', 'y']);
});
