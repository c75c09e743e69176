/**
 * One operation of one machine, asked for by the run of a plan and awaited. The operation's id is its name: a repeated
 * call finds the run that an earlier one began, awaits it, and begins nothing twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { OperationId } from '../../domain/ids.ts';
import { memberMove, memberUndo, operationOfRun } from '../../domain/plan/member-move.ts';
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
/** What the state table says where a machine is there already, or is busy. */
const REFUSALS = ['DR_OPERATION_BUSY', 'DR_OPERATION_REFUSED', 'DR_COMMIT_BEFORE_FAILOVER'] as const;

/** @throws DR_MEMBER_FAILED, DR_OPERATION_REFUSED, DR_OPERATION_BUSY */
export async function operateMember(
  calls: MemberCalls,
  input: MemberAsked,
  wait: Waiter,
): Promise<MemberResult> {
  return withEars(calls, input.member, wait, (hearing) => operateJob(hearing, input, wait));
}

/** Listens while `work` goes on: what is told in between is not missed. */
async function withEars<T>(
  calls: MemberCalls,
  { itemId, operationId }: AskedMember,
  wait: Waiter,
  work: (hearing: JobCalls) => Promise<T>,
): Promise<T> {
  const ear = calls.news.jobs.listen(operationId, (job) => wait.ask(questionOf(job)));
  const itemEar = calls.news.items.listen(itemId);
  try {
    return await work({ ...calls, ear, itemEar });
  } finally {
    ear.close();
    itemEar.close();
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
  const end = await awaitRun(calls, member, wait);
  const view = await settledView(calls, member, end, wait);
  if (end.ended === 'succeeded') return succeededResult(view, input);
  const { message = 'it was cancelled', remedy = '' } = end.error ?? {};
  throw new DrError('DR_MEMBER_FAILED', {
    machine: member.machineName,
    job: member.operationId,
    ending: end.ended === 'undone' ? 'was undone' : 'did not end',
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
  if (member.isNew !== true && (await hasBegun(calls, member))) {
    calls.ear.tooLate();
    return null;
  }
  wait.signal.throwIfAborted();
  if (await isBookedAtOnce(calls, input)) return null;
  if (undo === true && !(await hasBegunAny(calls, member))) return nothingBegun(calls, member);
  for (;;) {
    wait.signal.throwIfAborted();
    const view = await runbooks.describeItem(member.itemId);
    // An attempt that was given up for lost has booked it meanwhile.
    if (view.running?.operationId === member.operationId) return null;
    const situation = { state: view.state, drill: isMeant(view, input) ? view.drill.state : 'none' } as const;
    const move = undo === true ? memberUndo(kind, situation) : memberMove(kind, situation);
    if (move.kind === 'reached') {
      return { ended: 'reached', detail: move.reason, machine: machineOf(view), facts: factsOf(view, kind) };
    }
    try {
      await runbooks.operate(member.itemId, requestOf(input, move.operation));
      return null;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (onBusy === 'refuse' && !(await isOwn(calls, member))) throw error;
      wait.report(`waits for ${view.running?.operation ?? 'another operation'} of ${member.machineName}`);
      await sleep(BUSY_LOOK_MS, undefined, { signal: wait.signal });
    }
  }
}

/** An operation that waits for its turn is rolled back, and everything it has made with it. */
async function takeBack(
  calls: MemberCalls,
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
  const before = { ...member, operationId };
  await withEars(calls, before, wait, async (hearing) => {
    hearing.ear.tooLate();
    const end = await awaitRun(hearing, before, wait);
    await settledView(hearing, before, end, wait);
  });
}

/** An attempt that was given up for lost has booked it meanwhile. */
async function isOwn({ runbooks }: MemberCalls, { itemId, operationId }: AskedMember): Promise<boolean> {
  const { running } = await runbooks.describeItem(itemId);
  return running?.operationId === operationId;
}

/**
 * Most machines are where their operation is possible: the state table says so without being asked first, and refuses
 * where they are not, or are there already. What is meant for one drill alone is looked at before.
 */
async function isBookedAtOnce({ runbooks }: MemberCalls, input: MemberAsked): Promise<boolean> {
  const { kind, member, onlyDrillOf, undo } = input;
  if (undo === true || onlyDrillOf !== undefined) return false;
  try {
    await runbooks.operate(member.itemId, requestOf(input, operationOfRun(kind)));
    return true;
  } catch (error) {
    if (REFUSALS.some((code) => hasCode(error, code))) return false;
    throw error;
  }
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
