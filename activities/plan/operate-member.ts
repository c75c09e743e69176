/**
 * One operation of one machine, asked for by the run of a plan and awaited. The operation's id is its name: a repeated
 * call finds the run that an earlier one began, awaits it, and begins nothing twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';
import { memberMove, memberUndo } from '../../domain/plan/member-move.ts';
import type { ItemOperation } from '../../domain/item-operations.ts';
import type { AskedMember, MemberResult, OperateMembersInput } from '../../workflows/contracts/plan.ts';
import type {
  DecisionInput,
  ItemView,
  OperationAccepted,
  OperationRequest,
} from '../../workflows/contracts/types.ts';
import { factsOf, machineOf } from './member-facts.ts';
import type { AnyOutcome, LookAtRun, OutcomeWatch } from './outcomes.ts';

/** Protected items as the configuration server reaches them. */
export interface MemberRunbooks {
  /** @throws DR_ITEM_UNKNOWN */
  describeItem(item: ProtectedItemId): Promise<ItemView>;
  /** @throws what the state table refuses with */
  operate(item: ProtectedItemId, request: OperationRequest): Promise<OperationAccepted>;
  /** @throws DR_JOB_OVER, DR_DECISION_REFUSED */
  decide(item: ProtectedItemId, job: OperationId, decision: DecisionInput): Promise<OperationAccepted>;
  readonly runOutcome: LookAtRun;
  /** False: it does not wait for its turn within `withinMs`. @throws DR_JOB_UNKNOWN: there is no such run, or it has ended */
  isAtTurn(item: ProtectedItemId, operation: OperationId, withinMs: number): Promise<boolean>;
  /** Of a run that waits for its turn; one that does not is not bothered. @throws DR_JOB_UNKNOWN */
  tellTurn(item: ProtectedItemId, operation: OperationId, comes: boolean): Promise<void>;
}

export interface MemberCalls {
  readonly runbooks: MemberRunbooks;
  readonly outcomes: OutcomeWatch;
}

export interface MemberAsked extends Omit<OperateMembersInput, 'members' | 'gatherSeconds'> {
  readonly member: AskedMember;
}

export interface MemberWait {
  readonly signal: AbortSignal;
  /** What is being waited for, for people. */
  report(what: string): void;
}

const LOOK_MS = 1_000;
const TURN_MS = 15_000;
/** An operation that was accepted begins within moments; one whose entity was ended never does. */
const BEGIN_WITHIN_MS = 300_000;
const SETTLED_WITHIN_MS = 60_000;
const SETTLE_LOOK_MS = 100;

/** @throws DR_MEMBER_FAILED, DR_OPERATION_REFUSED, DR_OPERATION_BUSY */
export async function operateMember(
  calls: MemberCalls,
  input: MemberAsked,
  wait: MemberWait,
): Promise<MemberResult> {
  const { phase, member } = input;
  if (member.prepared !== undefined) await takeBack(calls, input, member.prepared, wait);
  if (phase === 'leave') return leave(calls, input);
  if (phase === 'start') await tellTurn(calls, member, true);
  else {
    const reached = await begin(calls, input, wait);
    if (reached !== null) return reached;
    if (phase === 'prepare' && (await comesToTurn(calls, input, wait))) return preparedResult(calls, input);
  }
  const outcome = await awaitRun(calls, input, wait);
  const view = await settledView(calls, input, wait);
  if (outcome.ended === 'succeeded') return succeededResult(view, input);
  const { message = 'it was cancelled', remedy = '' } = 'error' in outcome ? (outcome.error ?? {}) : {};
  throw new DrError('DR_MEMBER_FAILED', {
    machine: member.machineName,
    job: member.operationId,
    ending: outcome.ended === 'undone' ? 'was undone' : 'did not end',
    reason: message,
    remedy,
  });
}

function succeededResult(view: ItemView, { member, kind }: MemberAsked): MemberResult {
  const machine = machineOf(view);
  const where = machine.address === null ? view.activeLocation : `at ${machine.address}`;
  const detail = `${view.state}, ${where}, job ${member.operationId}`;
  return { ended: 'succeeded', detail, machine, facts: factsOf(view, kind) };
}

/** It ends by its own rules: a drill takes itself back, a failover waits for an operator. */
async function leave(calls: MemberCalls, { member }: MemberAsked): Promise<MemberResult> {
  await tellTurn(calls, member, false);
  const machine = { machineName: member.machineName, address: null };
  return { ended: 'reached', detail: `job ${member.operationId} goes its own way`, machine, facts: {} };
}

/** Whoever has decided about the job by hand has ended it: its outcome says how. */
async function tellTurn({ runbooks }: MemberCalls, member: AskedMember, comes: boolean): Promise<void> {
  try {
    await runbooks.tellTurn(member.itemId, member.operationId, comes);
  } catch (error) {
    if (!isUnknown(error)) throw error;
  }
}

async function preparedResult({ runbooks }: MemberCalls, { member }: MemberAsked): Promise<MemberResult> {
  const machine = machineOf(await runbooks.describeItem(member.itemId));
  const detail = `ready to start, job ${member.operationId}`;
  return { ended: 'prepared', detail, machine, facts: {} };
}

async function hasBegun({ runbooks }: MemberCalls, { itemId, operationId }: AskedMember): Promise<boolean> {
  try {
    await runbooks.runOutcome(itemId, operationId, 0);
    return true;
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
}

async function hasBegunAny(calls: MemberCalls, member: AskedMember): Promise<boolean> {
  for (const operationId of member.operations ?? []) {
    if (await hasBegun(calls, { ...member, operationId })) return true;
  }
  return false;
}

/** What others have done with the machine is not this run's to take back. */
async function nothingBegun({ runbooks }: MemberCalls, { itemId }: AskedMember): Promise<MemberResult> {
  const machine = machineOf(await runbooks.describeItem(itemId));
  return { ended: 'reached', detail: 'this run has begun nothing of it', machine, facts: {} };
}

/** Null: the operation is booked. Waits for its turn where the plan says so. */
async function begin(calls: MemberCalls, input: MemberAsked, wait: MemberWait): Promise<MemberResult | null> {
  const { runbooks } = calls;
  const { kind, member, onBusy, undo } = input;
  if (await hasBegun(calls, member)) return null;
  if (undo === true && !(await hasBegunAny(calls, member))) return nothingBegun(calls, member);
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

/** An operation that waits for its turn is rolled back, and everything it has made with it. */
async function takeBack(
  calls: MemberCalls,
  input: MemberAsked,
  operationId: OperationId,
  wait: MemberWait,
): Promise<void> {
  const { member, requestedBy, planName } = input;
  const reason = `the run of plan ${planName} is rolled back`;
  try {
    await calls.runbooks.decide(member.itemId, operationId, { decision: 'rollBack', requestedBy, reason });
  } catch (error) {
    // It rolls back already, or it has ended: then what it left is looked at like anything else.
    if (!hasCode(error, 'DR_JOB_OVER') && !hasCode(error, 'DR_DECISION_REFUSED')) throw error;
  }
  const before = { ...input, member: { ...member, operationId } };
  await awaitRun(calls, before, wait);
  await settledView(calls, before, wait);
}

/** False: it has ended before. */
async function comesToTurn(
  { runbooks }: MemberCalls,
  { member }: MemberAsked,
  wait: MemberWait,
): Promise<boolean> {
  const { itemId, operationId } = member;
  const beginBefore = Date.now() + BEGIN_WITHIN_MS;
  wait.report(`job ${operationId} makes everything ready`);
  for (;;) {
    wait.signal.throwIfAborted();
    try {
      if (await runbooks.isAtTurn(itemId, operationId, TURN_MS)) return true;
      // The one look of a run that ended under it is refused for ever.
      if (await hasEnded(runbooks, member)) return false;
    } catch (error) {
      if (!isUnknown(error)) throw error;
      if (await hasEnded(runbooks, member)) return false;
      if (Date.now() > beginBefore) throw error;
      await sleep(LOOK_MS, undefined, { signal: wait.signal });
    }
  }
}

async function hasEnded(runbooks: MemberRunbooks, { itemId, operationId }: AskedMember): Promise<boolean> {
  try {
    return (await runbooks.runOutcome(itemId, operationId, 0)) !== null;
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
}

async function awaitRun(
  { outcomes }: MemberCalls,
  { member: { itemId, operationId } }: MemberAsked,
  wait: MemberWait,
): Promise<AnyOutcome> {
  wait.report(`job ${operationId}`);
  const beginBefore = Date.now() + BEGIN_WITHIN_MS;
  for (;;) {
    wait.signal.throwIfAborted();
    try {
      const outcome = await outcomes.look(itemId, operationId);
      if (outcome !== null) return outcome;
    } catch (error) {
      if (!isUnknown(error) || Date.now() > beginBefore) throw error;
      await sleep(LOOK_MS, undefined, { signal: wait.signal });
    }
  }
}

/** A drill that another run has begun since is left alone, and so is one that this run did not begin. */
function isMeant({ drill }: ItemView, { onlyDrillOf, undo, runId }: MemberAsked): boolean {
  const only = undo === true ? runId : onlyDrillOf;
  return only === undefined || drill.runId?.startsWith(only) !== false;
}

/** The run has ended; what that makes of the item, its entity says a moment later. */
async function settledView(
  { runbooks }: MemberCalls,
  { member: { itemId, operationId } }: MemberAsked,
  { signal }: MemberWait,
): Promise<ItemView> {
  const settledBefore = Date.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const view = await runbooks.describeItem(itemId);
    if (view.running?.operationId !== operationId || Date.now() > settledBefore) return view;
    await sleep(SETTLE_LOOK_MS, undefined, { signal });
  }
}

function isBusy(error: unknown): boolean {
  return hasCode(error, 'DR_OPERATION_BUSY');
}

function isUnknown(error: unknown): boolean {
  return hasCode(error, 'DR_JOB_UNKNOWN');
}

function hasCode(error: unknown, code: DrError['code']): boolean {
  return error instanceof DrError && error.code === code;
}

/** What plans ask for, in the words of the item. */
function requestOf(input: MemberAsked, operation: ItemOperation): OperationRequest {
  const { requestedBy, choice, member, shutdownSource, subnetId, place, runId, phase } = input;
  const { operationId, pointId } = member;
  const chosen = pointId === undefined ? choice : { kind: 'custom', pointId };
  const told = phase === 'prepare' ? { startWhenTold: true } : {};
  const inputs: Partial<Record<ItemOperation, object>> = {
    testFailover: { choice: chosen, subnetId, ...told },
    cleanupTestFailover: { notes: `recovery plan, run ${runId}` },
    failover: { choice: chosen, shutdownSource, ...told },
    reprotect: { place: place ?? {} },
  };
  return { operation, operationId, requestedBy, ...inputs[operation] } as OperationRequest;
}
