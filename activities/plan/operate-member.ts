/**
 * One operation of one machine, asked for by the run of a plan and awaited. The operation's id is its name: a repeated
 * call finds the run that an earlier one began, awaits it, and begins nothing twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';
import { memberMove, memberUndo } from '../../domain/plan/member-move.ts';
import type { ItemOperation } from '../../domain/item-operations.ts';
import type { MemberResult, OperateMemberInput } from '../../workflows/contracts/plan.ts';
import type { RunOutcome } from '../../workflows/contracts/runs.ts';
import type { ItemView, OperationAccepted, OperationRequest } from '../../workflows/contracts/types.ts';
import { factsOf, machineOf } from './member-facts.ts';

/** Protected items as the configuration server reaches them. */
export interface MemberRunbooks {
  /** @throws DR_ITEM_UNKNOWN */
  describeItem(item: ProtectedItemId): Promise<ItemView>;
  /** @throws what the state table refuses with */
  operate(item: ProtectedItemId, request: OperationRequest): Promise<OperationAccepted>;
  /** How the operation's run ended; null: it has not within `withinMs`. @throws DR_JOB_UNKNOWN: there is no such run */
  runOutcome(
    item: ProtectedItemId,
    operation: OperationId,
    withinMs: number,
  ): Promise<RunOutcome<Readonly<Record<string, unknown>>> | null>;
}

export interface MemberWait {
  readonly signal: AbortSignal;
  /** What is being waited for, for people. */
  report(what: string): void;
}

const LOOK_MS = 1_000;
const AWAIT_MS = 15_000;
/** An operation that was accepted begins within moments; one whose entity was ended never does. */
const BEGIN_WITHIN_MS = 300_000;
const SETTLED_WITHIN_MS = 60_000;
const SETTLE_LOOK_MS = 100;

/** @throws DR_MEMBER_FAILED, DR_OPERATION_REFUSED, DR_OPERATION_BUSY */
export async function operateMember(
  runbooks: MemberRunbooks,
  input: OperateMemberInput,
  wait: MemberWait,
): Promise<MemberResult> {
  const { member, operationId } = input;
  const { itemId } = member;
  if (!(await hasBegun(runbooks, itemId, operationId))) {
    const reached = await begin(runbooks, input, wait);
    if (reached !== null) return reached;
  }
  const outcome = await awaitRun(runbooks, input, wait);
  const view = await settledView(runbooks, input, wait);
  if (outcome.ended !== 'succeeded') {
    const { message = 'it was cancelled', remedy = '' } = 'error' in outcome ? (outcome.error ?? {}) : {};
    const ending = outcome.ended === 'undone' ? 'was undone' : 'did not end';
    throw new DrError('DR_MEMBER_FAILED', {
      machine: member.machineName,
      job: operationId,
      ending,
      reason: message,
      remedy,
    });
  }
  const machine = machineOf(view);
  const where = machine.address === null ? view.activeLocation : `at ${machine.address}`;
  return {
    ended: 'succeeded',
    detail: `${view.state}, ${where}, job ${operationId}`,
    machine,
    facts: factsOf(view, input.kind),
  };
}

async function hasBegun(
  runbooks: MemberRunbooks,
  itemId: ProtectedItemId,
  operationId: OperationId,
): Promise<boolean> {
  try {
    await runbooks.runOutcome(itemId, operationId, 0);
    return true;
  } catch (error) {
    if (error instanceof DrError && error.code === 'DR_JOB_UNKNOWN') return false;
    throw error;
  }
}

/** Null: the operation is booked. Waits for its turn where the plan says so. */
async function begin(
  runbooks: MemberRunbooks,
  input: OperateMemberInput,
  wait: MemberWait,
): Promise<MemberResult | null> {
  const { kind, member, onBusy, undo } = input;
  for (;;) {
    wait.signal.throwIfAborted();
    const view = await runbooks.describeItem(member.itemId);
    const situation = { state: view.state, drill: isMeant(view, input) ? view.drill.state : 'none' } as const;
    const move = undo === true ? memberUndo(kind, situation) : memberMove(kind, situation);
    if (move.kind === 'reached') {
      return { ended: 'reached', detail: move.reason, machine: machineOf(view), facts: factsOf(view, kind) };
    }
    try {
      await runbooks.operate(member.itemId, requestOf(input, move.operation));
      return null;
    } catch (error) {
      if (onBusy === 'refuse' || !isBusy(error)) throw error;
      wait.report(`waits for ${view.running?.operation ?? 'another operation'} of ${member.machineName}`);
      await sleep(LOOK_MS, undefined, { signal: wait.signal });
    }
  }
}

async function awaitRun(
  runbooks: MemberRunbooks,
  { member, operationId }: OperateMemberInput,
  wait: MemberWait,
): Promise<RunOutcome<Readonly<Record<string, unknown>>>> {
  wait.report(`job ${operationId}`);
  const beginBefore = Date.now() + BEGIN_WITHIN_MS;
  for (;;) {
    wait.signal.throwIfAborted();
    try {
      const outcome = await runbooks.runOutcome(member.itemId, operationId, AWAIT_MS);
      if (outcome !== null) return outcome;
    } catch (error) {
      const isUnknown = error instanceof DrError && error.code === 'DR_JOB_UNKNOWN';
      if (!isUnknown || Date.now() > beginBefore) throw error;
      await sleep(LOOK_MS, undefined, { signal: wait.signal });
    }
  }
}

/** A drill that another run has begun since is left alone. */
function isMeant({ drill }: ItemView, { onlyDrillOf }: OperateMemberInput): boolean {
  return onlyDrillOf === undefined || drill.runId?.startsWith(onlyDrillOf) !== false;
}

/** The run has ended; what that makes of the item, its entity says a moment later. */
async function settledView(
  runbooks: MemberRunbooks,
  { member, operationId }: OperateMemberInput,
  { signal }: MemberWait,
): Promise<ItemView> {
  const settledBefore = Date.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const view = await runbooks.describeItem(member.itemId);
    if (view.running?.operationId !== operationId || Date.now() > settledBefore) return view;
    await sleep(SETTLE_LOOK_MS, undefined, { signal });
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof DrError && error.code === 'DR_OPERATION_BUSY';
}

/** What plans ask for, in the words of the item. */
function requestOf(input: OperateMemberInput, operation: ItemOperation): OperationRequest {
  const { operationId, requestedBy, choice, member, shutdownSource, subnetId, place, runId } = input;
  const chosen = member.pointId === undefined ? choice : { kind: 'custom', pointId: member.pointId };
  const inputs: Partial<Record<ItemOperation, object>> = {
    testFailover: { choice: chosen, subnetId },
    cleanupTestFailover: { notes: `recovery plan, run ${runId}` },
    failover: { choice: chosen, shutdownSource },
    reprotect: { place: place ?? {} },
  };
  return { operation, operationId, requestedBy, ...inputs[operation] } as OperationRequest;
}
