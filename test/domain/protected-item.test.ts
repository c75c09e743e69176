import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { errorCatalogue } from '../../domain/errors.ts';
import {
  allowedOperations,
  decide,
  drillStates,
  itemOperations,
  itemStates,
  type ItemSituation,
} from '../../domain/protected-item.ts';

const situations = fc.record({
  state: fc.constantFrom(...itemStates),
  drill: fc.constantFrom(...drillStates),
  hasRecoveryPoint: fc.boolean(),
});
const operations = fc.constantFrom(...itemOperations);
const healthy: ItemSituation = { state: 'protected', drill: 'none', hasRecoveryPoint: true };

describe('the state table', () => {
  it('refuses every operation while another one runs, naming it', () => {
    fc.assert(
      fc.property(situations, operations, (situation, operation) => {
        const running = { operation: 'failover', operationId: 'x' } as const;
        expect(decide({ ...situation, running }, operation)).toMatchObject({
          allowed: false,
          code: 'DR_OPERATION_BUSY',
          reason: expect.stringContaining('failover'),
        });
      }),
    );
  });

  it('never fails over or drills without a recovery point', () => {
    fc.assert(
      fc.property(situations, fc.constantFrom('failover', 'testFailover'), (situation, operation) => {
        expect(decide({ ...situation, hasRecoveryPoint: false }, operation).allowed).toBe(false);
      }),
    );
  });

  it('never lets a drill change the state of the live item', () => {
    fc.assert(
      fc.property(
        situations,
        fc.constantFrom('testFailover', 'cleanupTestFailover'),
        (situation, operation) => {
          const verdict = decide(situation, operation);
          if (verdict.allowed) expect(verdict.next).toBe(situation.state);
        },
      ),
    );
  });

  it('commits only what has failed over', () => {
    const committable = itemStates.filter((state) => decide({ ...healthy, state }, 'commit').allowed);
    expect(committable).toEqual(['failedOver']);
  });

  it('gives every refusal a reason and a code of the catalogue', () => {
    fc.assert(
      fc.property(situations, operations, (situation, operation) => {
        const verdict = decide(situation, operation);
        if (verdict.allowed) return;
        expect(verdict.reason).not.toBe('');
        expect(errorCatalogue).toHaveProperty(verdict.code);
      }),
    );
  });

  it('shows exactly what it would decide', () => {
    fc.assert(
      fc.property(situations, (situation) => {
        for (const shown of allowedOperations(situation)) {
          expect(shown.allowed).toBe(decide(situation, shown.operation).allowed);
        }
      }),
    );
  });

  it('offers cleanup of a drill wherever a drill can be left', () => {
    const withDrill = { ...healthy, drill: 'running' } as const;
    for (const state of ['protected', 'failoverFailed', 'failedOver', 'committed'] as const) {
      expect(decide({ ...withDrill, state }, 'cleanupTestFailover').allowed).toBe(true);
    }
  });
});
