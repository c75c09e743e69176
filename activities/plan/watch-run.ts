/** Waits for what becomes of one operation of a machine: it waits for its turn, it has ended, its item has settled. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';
import { isAtTurn, isJobOver, type Job, type JobError } from '../../domain/job.ts';
import type { AskedMember } from '../../workflows/contracts/plan.ts';
import type {
  DecisionInput,
  ItemView,
  OperationAccepted,
  OperationRequest,
} from '../../workflows/contracts/types.ts';
import type { AllNews, Ear } from './news.ts';
import type { LookAtRun, OutcomeWatch } from './outcomes.ts';
import type { Waiter } from './waits.ts';

/** Protected items as the configuration server reaches them. */
export interface MemberRunbooks {
  /** @throws DR_ITEM_UNKNOWN */
  describeItem(item: ProtectedItemId): Promise<ItemView>;
  /** @throws what the state table refuses with */
  operate(item: ProtectedItemId, request: OperationRequest): Promise<OperationAccepted>;
  /** @throws DR_JOB_OVER, DR_DECISION_REFUSED */
  decide(item: ProtectedItemId, job: OperationId, decision: DecisionInput): Promise<OperationAccepted>;
  /** @throws DR_JOB_UNKNOWN */
  describeJob(item: ProtectedItemId, job: OperationId): Promise<Job>;
  readonly runOutcome: LookAtRun;
  /** False: it does not wait for its turn within `withinMs`. @throws DR_JOB_UNKNOWN: there is no such run, or it has ended */
  isAtTurn(item: ProtectedItemId, operation: OperationId, withinMs: number): Promise<boolean>;
  /** Of a run that waits for its turn; one that does not is not bothered. @throws DR_JOB_UNKNOWN */
  tellTurn(item: ProtectedItemId, operation: OperationId, comes: boolean): Promise<void>;
}

export interface MemberCalls {
  readonly runbooks: MemberRunbooks;
  readonly outcomes: OutcomeWatch;
  readonly news: AllNews;
}

/** The calls, and an ear for the job that one of them is about and one for its machine. */
export interface JobCalls extends MemberCalls {
  readonly ear: Ear<Job>;
  readonly itemEar: Ear<ItemView>;
}

/** What became of an operation. */
export interface JobEnd {
  readonly ended: 'succeeded' | 'undone' | 'lost';
  readonly error?: JobError;
  /** ISO 8601; absent: its job was not heard. */
  readonly endedAt?: string;
}

/** Runs tell of themselves; one that was silent for so long is asked. */
const NEWS_WITHIN_MS = 20_000;
const TURN_MS = 1_000;
const LOOK_MS = 1_000;
/** An operation that was accepted begins within moments; one whose entity was ended never does. */
const BEGIN_WITHIN_MS = 300_000;
const SETTLED_WITHIN_MS = 300_000;
const SETTLE_LOOK_MS = 100;
const SETTLED_NEWS_WITHIN_MS = 2_000;

/** False: it has ended before. */
export async function comesToTurn(calls: JobCalls, member: AskedMember, wait: Waiter): Promise<boolean> {
  const { runbooks } = calls;
  const { itemId, operationId } = member;
  const beginBefore = Date.now() + BEGIN_WITHIN_MS;
  wait.report(`job ${operationId} makes everything ready`);
  for (;;) {
    const told = await news(calls, member, (job) => isAtTurn(job) || isJobOver(job.state), wait);
    if (told !== null && isAtTurn(told)) return true;
    try {
      if (await runbooks.isAtTurn(itemId, operationId, TURN_MS)) return true;
      // The one look of a run that ended under it is refused for ever.
      if (await hasEnded(runbooks, member)) return false;
    } catch (error) {
      if (!isUnknown(error)) throw error;
      if (await hasEnded(runbooks, member)) return false;
      if (Date.now() > beginBefore) throw error;
    }
  }
}

/** What the job asks an operator, for people who look at its plan; empty: nothing. */
export function questionOf({ id, state, tasks, error }: Job): string {
  if (state !== 'waitingForInput') return '';
  if (error === undefined) return `job ${id} waits for an operator: somebody holds it`;
  const step = tasks.findLast((each) => each.state === 'failed' || each.state === 'waitingForInput');
  return `job ${id} waits for an operator${step === undefined ? '' : ` at "${step.name}"`}: ${error.message}`;
}

/** Null: `test` does not hold for what the job has told, nor, after a while, for what its run says itself. */
async function news(
  { ear, news: told, runbooks }: JobCalls,
  { itemId, operationId }: AskedMember,
  test: (job: Job) => boolean,
  { signal }: Waiter,
): Promise<Job | null> {
  const heard = await ear.until(test, { signal, withinMs: NEWS_WITHIN_MS });
  signal.throwIfAborted();
  if (heard !== null) return heard;
  try {
    told.jobs.tell(operationId, await runbooks.describeJob(itemId, operationId));
  } catch (error) {
    if (!isUnknown(error)) throw error;
  }
  return ear.until(test, { signal, withinMs: 0 });
}

async function hasEnded(runbooks: MemberRunbooks, { itemId, operationId }: AskedMember): Promise<boolean> {
  try {
    return (await runbooks.runOutcome(itemId, operationId, 0)) !== null;
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
}

/** A success is told by the job itself; what else became of it the run's outcome says. */
export async function awaitRun(calls: JobCalls, member: AskedMember, wait: Waiter): Promise<JobEnd> {
  const { itemId, operationId } = member;
  wait.report(`job ${operationId}`);
  const beginBefore = Date.now() + BEGIN_WITHIN_MS;
  for (;;) {
    const told = await news(calls, member, ({ state }) => isJobOver(state), wait);
    const at = told?.endedAt === undefined ? {} : { endedAt: told.endedAt };
    if (told?.state === 'succeeded') return { ended: 'succeeded', ...at };
    try {
      const outcome = await calls.outcomes.look(itemId, operationId);
      if (outcome !== null) return { ...outcome, ...at };
    } catch (error) {
      if (!isUnknown(error) || Date.now() > beginBefore) throw error;
      await sleep(LOOK_MS, undefined, { signal: wait.signal });
    }
  }
}

/**
 * What the item says when it has taken over what became of its operation, which is a moment after the run is over: it
 * tells of itself, or is asked. Never what it said before. @throws DR_MEMBER_FAILED
 */
export async function settledView(
  calls: JobCalls,
  member: AskedMember,
  { endedAt }: JobEnd,
  wait: Waiter,
): Promise<ItemView> {
  const { itemId, operationId, machineName } = member;
  const { signal } = wait;
  const isSettled = ({ running }: ItemView) => running?.operationId !== operationId;
  if (endedAt !== undefined) {
    // Revisions are times of the entity: an older one may be from before the operation was booked.
    const isNews = (view: ItemView) => isSettled(view) && view.revision >= Date.parse(endedAt);
    const told = await calls.itemEar.until(isNews, { signal, withinMs: SETTLED_NEWS_WITHIN_MS });
    signal.throwIfAborted();
    if (told !== null) return told;
  }
  wait.report(`job ${operationId} is ending`);
  await untilOver(calls, member, wait);
  const settledBefore = Date.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const view = await calls.runbooks.describeItem(itemId);
    if (isSettled(view)) return view;
    if (Date.now() > settledBefore) {
      const reason = 'its protected item has not taken over what became of it';
      const remedy = 'See what `switchback item show` says of it.';
      throw new DrError('DR_MEMBER_FAILED', {
        machine: machineName,
        job: operationId,
        ending: 'has ended',
        reason,
        remedy,
      });
    }
    await sleep(SETTLE_LOOK_MS, undefined, { signal });
  }
}

/** A job says that it has ended while its last record is still being written. */
async function untilOver(
  { outcomes }: MemberCalls,
  { itemId, operationId }: AskedMember,
  { signal }: Waiter,
): Promise<void> {
  try {
    while ((await outcomes.look(itemId, operationId)) === null) signal.throwIfAborted();
  } catch (error) {
    // Temporal keeps runs that are over for some time only.
    if (!isUnknown(error)) throw error;
  }
}

export function isUnknown(error: unknown): boolean {
  return hasCode(error, 'DR_JOB_UNKNOWN');
}

export function hasCode(error: unknown, code: DrError['code']): boolean {
  return error instanceof DrError && error.code === code;
}
