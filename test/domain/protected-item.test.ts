import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { isErrorCode } from '../../domain/errors.ts';
import { consequencesOf, isConsequential } from '../../domain/item-consequences.ts';
import { guards } from '../../domain/item-guards.ts';
import { operationInputs } from '../../domain/item-inputs.ts';
import { memberMove, operationOfRun } from '../../domain/plan/member-move.ts';
import {
  activeLocations,
  allowedOperations,
  decide,
  drillStates,
  givesWay,
  isProtectionOver,
  itemOperations,
  itemStates,
  leadsOn,
  moves,
  type ItemOperation,
  type ItemSituation,
  type ItemState,
  type Permission,
} from '../../domain/protected-item.ts';

const either = [false, true] as const;

/** Every situation in which nothing runs. */
const situations: readonly ItemSituation[] = itemStates.flatMap((state) =>
  drillStates.flatMap((drill) =>
    either.flatMap((hasRecoveryPoint) =>
      either.flatMap((paused) =>
        either.map((diverged) => ({ state, drill, hasRecoveryPoint, paused, diverged })),
      ),
    ),
  ),
);
const healthy: Omit<ItemSituation, 'state'> = {
  drill: 'none',
  hasRecoveryPoint: true,
  paused: false,
  diverged: false,
};
const running = ['protect', ...itemOperations] as const;

/** All decisions about idle items, with what they are about. */
const decisions = situations.flatMap((situation) =>
  itemOperations.map((operation) => ({ situation, operation, verdict: decide(situation, operation) })),
);
const permitted = decisions.flatMap(({ situation, operation, verdict }) =>
  verdict.allowed ? [{ situation, operation, verdict }] : [],
);

const isDrill = (operation: ItemOperation) =>
  operation === 'testFailover' || operation === 'cleanupTestFailover';

/** The states an operation can be started in, given whatever its guards need. */
function statesFor(operation: ItemOperation): ItemState[] {
  return itemStates.filter((state) =>
    permitted.some((each) => each.operation === operation && each.situation.state === state),
  );
}

describe('the state table', () => {
  it('refuses what a plan asks of a machine that is there already', () => {
    const kinds = ['cleanup', 'failover', 'commit', 'reprotect', 'failback', 'reEnable'] as const;
    const there = kinds.flatMap((kind) =>
      situations
        .filter((situation) => memberMove(kind, situation).kind === 'reached')
        .map((situation) => decide(situation, operationOfRun(kind))),
    );
    expect(there.length).toBeGreaterThan(100);
    const codes = new Set(there.map((verdict) => (verdict.allowed ? 'allowed' : verdict.code)));
    expect([...codes].toSorted()).toEqual(['DR_COMMIT_BEFORE_FAILOVER', 'DR_OPERATION_REFUSED']);
  });

  it('gives every refusal a reason and a code of the catalogue', () => {
    const refusals = decisions.flatMap(({ verdict }) => (verdict.allowed ? [] : [verdict]));
    expect(refusals.filter(({ code, reason }) => reason === '' || !isErrorCode(code))).toEqual([]);
    const kinds = new Set(refusals.map(({ code, reason }) => `${code} ${reason}`));
    process.stderr.write(
      `state table: ${itemStates.length} states, ${itemOperations.length} operations, ` +
        `${situations.length} situations, ${permitted.length} permissions, ` +
        `${refusals.length} refusals (${kinds.size} reasons)\n`,
    );
  });

  it('leaves no state without an operation that leads on, but those in which protection has ended', () => {
    for (const state of itemStates) {
      expect({ state, leadsOn: leadsOn(state) }).toEqual({ state, leadsOn: true });
      const isLeft = permitted.some(({ situation, operation, verdict }) => {
        return situation.state === state && (!isDrill(operation) || verdict.done !== state);
      });
      expect({ state, isLeft }).toEqual({ state, isLeft: !isProtectionOver(state) });
    }
  });

  it('offers a way on in every situation in which nothing runs', () => {
    const stuck = situations.filter(
      (situation) =>
        !isProtectionOver(situation.state) &&
        // A drill that is being changed is changed by an operation that runs.
        situation.drill !== 'starting' &&
        situation.drill !== 'cleaningUp' &&
        // What has a recovery point in the direction it replicates keeps it.
        situation.hasRecoveryPoint &&
        !itemOperations.some((operation) => decide(situation, operation).allowed),
    );
    const reachable = stuck.filter(({ state, drill }) => drill === 'none' || canHaveDrill(state));
    expect(reachable).toEqual([]);
  });

  it('ends every operation in a real state', () => {
    const ends = permitted.flatMap(({ verdict }) => [verdict.next, verdict.done, verdict.undone]);
    expect(ends.filter((state) => !itemStates.includes(state))).toEqual([]);
  });

  it('lets whatever was interrupted be started again where it was', () => {
    const lost = permitted.filter(
      ({ situation, operation, verdict }) =>
        !decide({ ...situation, state: verdict.next }, operation).allowed,
    );
    expect(lost).toEqual([]);
  });

  it('brings what was started again to the same end', () => {
    for (const operation of itemOperations) {
      for (const state of statesFor(operation)) {
        const move = moves[operation][state];
        if (move === undefined) throw new Error('no move');
        expect(moves[operation][move.during]?.done).toBe(move.done);
      }
    }
  });

  it('never undoes into a state that an operation leaves for good', () => {
    expect(permitted.filter(({ verdict }) => isProtectionOver(verdict.undone))).toEqual([]);
  });

  it('commits only what has failed over or failed back', () => {
    expect(statesFor('commit')).toEqual(['failedOver', 'committing', 'failedBack', 'committingFailback']);
  });

  it('makes a full circle: out, home and out again', () => {
    const circle: readonly ItemOperation[] = [
      'failover',
      'commit',
      'reprotect',
      'failback',
      'commit',
      'reEnable',
    ];
    const passed = circle.reduce<ItemState[]>(
      (states, operation) => [...states, permission(states.at(-1) ?? 'protected', operation).done],
      ['protected'],
    );
    expect(passed).toEqual([
      'protected',
      'failedOver',
      'committed',
      'protectedReverse',
      'failedBack',
      'failedBackCommitted',
      'protected',
    ]);
    expect(passed.map((state) => activeLocations[state])).toEqual([
      'onPremises',
      'azure',
      'azure',
      'azure',
      'onPremises',
      'onPremises',
      'onPremises',
    ]);
  });

  it('leads back before each commit', () => {
    expect(permission('failedOver', 'rollback').done).toBe('protected');
    expect(permission('failedBack', 'cancelFailback').done).toBe('protectedReverse');
    expect(permission('failingBack', 'cancelFailback').done).toBe('protectedReverse');
  });
});

describe('guards', () => {
  it('never starts a machine without a recovery point', () => {
    const starting: readonly ItemOperation[] = ['failover', 'testFailover', 'failback'];
    const without = permitted.filter(({ situation }) => !situation.hasRecoveryPoint);
    expect(without.filter(({ operation }) => starting.includes(operation))).toEqual([]);
  });

  it('never starts a machine at home from disks that somebody else wrote to', () => {
    const failbacks = permitted.filter(({ operation }) => operation === 'failback');
    expect(failbacks.some(({ situation }) => situation.diverged)).toBe(false);
  });

  it('pauses once and resumes once', () => {
    const wrong = { pause: true, resume: false };
    for (const [operation, paused] of Object.entries(wrong)) {
      const again = permitted.filter(
        (each) => each.operation === operation && each.situation.paused === paused,
      );
      expect(again).toEqual([]);
    }
  });

  it('refuses with the code of the first guard that does, and with its reason', () => {
    const guarded = decisions.flatMap(({ situation, operation, verdict }) => {
      if (moves[operation][situation.state] === undefined) return [];
      const guard = guards[operation]?.find((each) => each.refuses(situation) !== undefined);
      return [{ verdict, guard, reason: guard?.refuses(situation) }];
    });
    const refused = guarded.filter(({ guard }) => guard !== undefined);
    process.stderr.write(`state table: ${refused.length} guarded refusals\n`);
    expect(refused.length).toBeGreaterThan(0);
    const wrong = guarded.filter(({ verdict, guard, reason }) =>
      verdict.allowed ? guard !== undefined : verdict.code !== guard?.code || verdict.reason !== reason,
    );
    expect(wrong).toEqual([]);
  });

  it('has for each guard a situation that it refuses and one that it lets pass', () => {
    for (const [operation, list] of Object.entries(guards)) {
      for (const guard of list) {
        const refused = situations.filter((situation) => guard.refuses(situation) !== undefined);
        expect({ operation, guard: guard.needs, refuses: refused.length > 0 }).toMatchObject({
          refuses: true,
        });
        expect(refused.length).toBeLessThan(situations.length);
      }
    }
  });
});

describe('drills', () => {
  it('never change the state of the live item', () => {
    const drills = permitted.filter(({ operation }) => isDrill(operation));
    const changing = drills.filter(({ situation: { state }, verdict: { next, done, undone } }) =>
      [next, done, undone].some((after) => after !== state),
    );
    expect(drills.length).toBeGreaterThan(0);
    expect(changing).toEqual([]);
  });

  it('are one at a time', () => {
    const second = permitted.filter(
      ({ situation, operation }) => operation === 'testFailover' && situation.drill !== 'none',
    );
    expect(second).toEqual([]);
  });

  it('can be cleaned up wherever one can be left', () => {
    for (const state of itemStates.filter(canHaveDrill)) {
      for (const drill of ['running', 'failed', 'cleanupFailed'] as const) {
        const verdict = decide({ ...healthy, state, drill }, 'cleanupTestFailover');
        expect({ state, drill, allowed: verdict.allowed }).toEqual({ state, drill, allowed: true });
      }
    }
  });
});

describe('while something runs', () => {
  const busy = running.flatMap((operation) =>
    itemOperations.map((asked) => ({
      operation,
      asked,
      verdicts: situations.map((situation) =>
        decide({ ...situation, running: { operation, operationId: 'x' } }, asked),
      ),
    })),
  );

  it('everything else is refused as busy, naming what runs', () => {
    for (const { operation, asked, verdicts } of busy) {
      if (givesWay(operation, asked)) continue;
      const other = verdicts.filter(
        (verdict) =>
          verdict.allowed ||
          verdict.code !== 'DR_OPERATION_BUSY' ||
          verdict.reason !== `${operation} is running`,
      );
      expect(other).toEqual([]);
    }
  });

  it('what displaces it is decided as if nothing ran, and says that it displaces', () => {
    const exceptions = busy.filter(({ operation, asked }) => givesWay(operation, asked));
    expect(exceptions.length).toBeGreaterThan(0);
    for (const { asked, verdicts } of exceptions) {
      const idle = situations.map((situation) => decide(situation, asked));
      expect(verdicts).toEqual(
        idle.map((verdict) => (verdict.allowed ? { ...verdict, displaces: true } : verdict)),
      );
    }
  });

  it('only a failover, or an end of protection, displaces; and never itself', () => {
    const displacing = new Set(
      busy.filter(({ operation, asked }) => givesWay(operation, asked)).map(({ asked }) => asked),
    );
    expect([...displacing].toSorted()).toEqual(['disable', 'failover', 'purge']);
    for (const operation of itemOperations) expect(givesWay(operation, operation)).toBe(false);
  });
});

describe('what is shown', () => {
  it('is exactly what would be decided, with the input of what is allowed', () => {
    const wrong = situations.filter((situation) => {
      const shown = allowedOperations(situation);
      const decided = itemOperations.map((operation) => {
        const verdict = decide(situation, operation);
        return verdict.allowed
          ? { operation, allowed: true, input: operationInputs[operation] }
          : { operation, allowed: false, reason: verdict.reason };
      });
      return !isDeepStrictEqual(shown, decided);
    });
    expect(wrong).toEqual([]);
  });

  it('says what happens before every operation that removes a machine or data, in every state it can start in', () => {
    for (const operation of itemOperations.filter(isConsequential)) {
      for (const state of statesFor(operation)) {
        for (const direction of ['forward', 'reverse'] as const) {
          expect(consequencesOf(operation, { state, direction }).length).toBeGreaterThan(1);
        }
      }
    }
    const unasked = itemOperations.filter((operation) => !isConsequential(operation));
    expect(unasked).toEqual([
      'testFailover',
      'cleanupTestFailover',
      'reEnable',
      'pause',
      'resume',
      'resync',
      'verify',
      'updateSettings',
      'addDisks',
    ]);
  });
});

function permission(state: ItemState, operation: ItemOperation): Permission {
  const verdict = decide({ ...healthy, state }, operation);
  if (!verdict.allowed) throw new Error(`${operation} in ${state}: ${verdict.reason}`);
  return verdict;
}

/** A drill starts in `protected` and stays through whatever the item does then, but for what its guard keeps out. */
function canHaveDrill(state: ItemState): boolean {
  return carriesDrill.has(state);
}

const carriesDrill = statesReachedWithDrill();

function statesReachedWithDrill(): ReadonlySet<ItemState> {
  const reached = new Set<ItemState>(['protected']);
  for (const state of reached) {
    for (const operation of itemOperations) {
      const verdict = decide({ ...healthy, state, drill: 'running' }, operation);
      if (!verdict.allowed) continue;
      for (const next of [verdict.done, verdict.undone]) reached.add(next);
    }
  }
  return reached;
}
