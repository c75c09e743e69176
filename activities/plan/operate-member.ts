/**
 * One operation of one machine, asked for by the run of a plan and awaited. The operation's id is its name: a repeated
 * call finds the run that an earlier one began, awaits it, and begins nothing twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { OperationId } from '../../domain/ids.ts';
import { memberMove, memberUndo } from '../../domain/plan/member-move.ts';
import type { ItemOperation } from '../../domain/item-operations.ts';
import type { AskedMember, MemberResult, OperateMembersInput } from '../../workflows/contracts/plan.ts';
import type { ItemView, OperationRequest } from '../../workflows/contracts/types.ts';
import { factsOf, machineOf } from './member-facts.ts';
import type { Waiter } from './waits.ts';
import {
  awaitRun,
  comesToTurn,
  hasCode,
  isUnknown,
  questionOf,
  settledView,
  type JobCalls,
  type MemberCalls,
} from './watch-run.ts';

export interface MemberAsked extends Omit<OperateMembersInput, 'members' | 'gatherSeconds'> {
  readonly member: AskedMember;
}

const BUSY_LOOK_MS = 1_000;

/** @throws DR_MEMBER_FAILED, DR_OPERATION_REFUSED, DR_OPERATION_BUSY */
export async function operateMember(
  calls: MemberCalls,
  input: MemberAsked,
  wait: Waiter,
): Promise<MemberResult> {
  const ear = calls.news.listen(input.member.operationId, (job) => wait.ask(questionOf(job)));
  try {
    return await operateJob({ ...calls, ear }, input, wait);
  } finally {
    ear.close();
  }
}

async function operateJob(calls: JobCalls, input: MemberAsked, wait: Waiter): Promise<MemberResult> {
  const { phase, member } = input;
  if (member.prepared !== undefined) await takeBack(calls, input, member.prepared, wait);
  if (phase === 'leave') return leave(calls, input);
  if (phase === 'start') {
    if (!(await tellTurn(calls, member, true))) calls.ear.tooLate();
  } else {
    const reached = await begin(calls, input, wait);
    if (reached !== null) return reached;
    if (phase === 'prepare' && (await comesToTurn(calls, member, wait))) return preparedResult(input);
  }
  const outcome = await awaitRun(calls, member, wait);
  const view = await settledView(calls, member, wait);
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

/** False: whoever has decided about the job by hand has ended it, and its outcome says how. */
async function tellTurn({ runbooks }: MemberCalls, member: AskedMember, comes: boolean): Promise<boolean> {
  try {
    await runbooks.tellTurn(member.itemId, member.operationId, comes);
    return true;
  } catch (error) {
    if (!isUnknown(error)) throw error;
    return false;
  }
}

function preparedResult({ member: { machineName, operationId } }: MemberAsked): MemberResult {
  const machine = { machineName, address: null };
  return { ended: 'prepared', detail: `ready to start, job ${operationId}`, machine, facts: {} };
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
async function begin(calls: JobCalls, input: MemberAsked, wait: Waiter): Promise<MemberResult | null> {
  const { runbooks } = calls;
  const { kind, member, onBusy, undo } = input;
  if (await hasBegun(calls, member)) {
    calls.ear.tooLate();
    return null;
  }
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
      await sleep(BUSY_LOOK_MS, undefined, { signal: wait.signal });
    }
  }
}

/** An operation that waits for its turn is rolled back, and everything it has made with it. */
async function takeBack(
  calls: JobCalls,
  input: MemberAsked,
  operationId: OperationId,
  wait: Waiter,
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
  const ear = calls.news.listen(operationId, (job) => wait.ask(questionOf(job)));
  ear.tooLate();
  try {
    await awaitRun({ ...calls, ear }, before.member, wait);
  } finally {
    ear.close();
  }
  await settledView(calls, before.member, wait);
}

/** A drill that another run has begun since is left alone, and so is one that this run did not begin. */
function isMeant({ drill }: ItemView, { onlyDrillOf, undo, runId }: MemberAsked): boolean {
  const only = undo === true ? runId : onlyDrillOf;
  return only === undefined || drill.runId?.startsWith(only) !== false;
}

function isBusy(error: unknown): boolean {
  return hasCode(error, 'DR_OPERATION_BUSY');
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
