/** What a run of a plan asks of one machine, in the situation it finds it in. */
import type { ItemOperation } from '../item-operations.ts';
import { stateReasons, type DrillState, type ItemState } from '../item-states.ts';
import type { PlanRunKind } from './plan.ts';

export interface MemberSituation {
  readonly state: ItemState;
  readonly drill: DrillState;
}

/** `reached`: another run, or somebody by hand, has brought the machine there already. */
export type MemberMove =
  | { readonly kind: 'operate'; readonly operation: ItemOperation }
  | { readonly kind: 'reached'; readonly reason: string };

interface Asked {
  readonly operation: ItemOperation;
  /** States in which nothing is left to do. */
  readonly reached: readonly ItemState[];
}

const inAzure: readonly ItemState[] = ['failedOver', 'committed', 'protectedReverse'];
const atHome: readonly ItemState[] = ['failedBack', 'failedBackCommitted', 'protected'];

const asked: Readonly<Record<PlanRunKind, Asked>> = {
  test: { operation: 'testFailover', reached: [] },
  cleanup: { operation: 'cleanupTestFailover', reached: [] },
  failover: { operation: 'failover', reached: inAzure },
  commit: {
    operation: 'commit',
    reached: ['committed', 'protectedReverse', 'failedBackCommitted', 'protected'],
  },
  reprotect: { operation: 'reprotect', reached: ['protectedReverse'] },
  failback: { operation: 'failback', reached: atHome },
  reEnable: { operation: 'reEnable', reached: ['protected'] },
};

export function operationOfRun(kind: PlanRunKind): ItemOperation {
  return asked[kind].operation;
}

/** Whether the operation is possible now is the state table's to say. */
export function memberMove(kind: PlanRunKind, situation: MemberSituation): MemberMove {
  return moveOf(asked[kind], situation);
}

/** Only where `undoOfMove` knows one. */
export function memberUndo(kind: PlanRunKind, situation: MemberSituation): MemberMove {
  const undo = undoOfMove[kind];
  return undo === null ? { kind: 'reached', reason: 'it is not taken back' } : moveOf(undo, situation);
}

function moveOf({ operation, reached }: Asked, { state, drill }: MemberSituation): MemberMove {
  if (operation === 'cleanupTestFailover' && drill === 'none') {
    return { kind: 'reached', reason: 'no drill of it runs' };
  }
  return reached.includes(state)
    ? { kind: 'reached', reason: stateReasons[state] }
    : { kind: 'operate', operation };
}

/** What taking a run back asks of a machine; null: it cannot be taken back, or needs not to be. */
export const undoOfMove: Readonly<Record<PlanRunKind, Asked | null>> = {
  test: { operation: 'cleanupTestFailover', reached: [] },
  cleanup: null,
  failover: { operation: 'rollback', reached: ['protected'] },
  commit: null,
  reprotect: null,
  failback: { operation: 'cancelFailback', reached: ['protectedReverse'] },
  reEnable: null,
};

/** Runs that go home, or take apart what was built up, go through the groups from the last to the first. */
export const directionOfRun: Readonly<Record<PlanRunKind, 'out' | 'home'>> = {
  test: 'out',
  cleanup: 'home',
  failover: 'out',
  commit: 'out',
  reprotect: 'home',
  failback: 'home',
  reEnable: 'out',
};
