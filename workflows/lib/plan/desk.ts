/**
 * Where an operator meets the run of a plan: what waits for a decision, whether the run is held, and how it is to end.
 * Groups run beside each other, so several tasks may wait at once; each offers its own choices, by task id.
 */
import { CancelledFailure, condition, setHandler } from '@temporalio/workflow';
import type { JobChoice, JobDecision, JobError } from '../../../domain/job.ts';
import type { StepAction } from '../../../domain/plan/plan.ts';
import { undoOfMove } from '../../../domain/plan/member-move.ts';
import { decidePlanUpdate } from '../../contracts/messages.ts';
import type { PlanDecision, PlanRunInput } from '../../contracts/plan.ts';
import { refusal } from '../failures.ts';
import type { JobLog } from '../job-log.ts';

export type PlanEnding = 'keep' | 'rollBack';

/** Kept for the evidence. */
export interface Decided {
  readonly decision: JobDecision;
  readonly principal: string;
  readonly reason: string;
  readonly at: string;
  readonly taskId?: string;
  /** What a step does instead of what the plan says. */
  readonly action?: StepAction;
}

interface Question {
  readonly taskId: string;
  readonly name: string;
  readonly choices: readonly Omit<JobChoice, 'taskId'>[];
  readonly error?: JobError;
  /** Principals that may answer; empty: anybody. */
  readonly approvers: readonly string[];
  /** A retry may come with another action. */
  readonly isStep?: true;
}

interface Waiting extends Question {
  answer: PlanDecision | undefined;
}

export class Desk {
  readonly #input: PlanRunInput;
  readonly #log: JobLog;
  readonly #waiting: Waiting[] = [];
  readonly #decided: Decided[] = [];
  #isHeld = false;
  #isUndoing = false;
  #isClosed = false;
  #ending: PlanEnding | undefined;

  constructor(input: PlanRunInput, log: JobLog) {
    this.#input = input;
    this.#log = log;
    setHandler(decidePlanUpdate, (asked) => this.#decide(asked), {
      validator: (asked) => this.#refuse(asked),
    });
    this.#show();
  }

  get ending(): PlanEnding | undefined {
    return this.#ending;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  get decided(): readonly Decided[] {
    return this.#decided;
  }

  /** Waits while the run is held. @throws CancelledFailure when the run is to end: nothing further begins */
  async pass(): Promise<void> {
    await condition(() => !this.#isHeld || this.#ending !== undefined);
    if (this.#ending !== undefined && !this.#isUndoing) throw new CancelledFailure('the run ends');
  }

  end(ending: PlanEnding): void {
    if (this.#isClosed) return;
    this.#ending ??= ending;
    this.#show();
  }

  /** How the run ends is settled: from here on nothing is decided about it any more. */
  close(): PlanEnding | undefined {
    this.#isClosed = true;
    this.#isHeld = false;
    this.#show();
    return this.#ending;
  }

  isAsking(taskId: string): boolean {
    return this.#waiting.some((each) => each.taskId === taskId && each.answer === undefined);
  }

  /** From here on only what cannot be undone is asked about. */
  beginUndoing(): void {
    this.#isUndoing = true;
    this.#isHeld = false;
    this.#show();
  }

  /** Undefined: nobody answered in time. @throws CancelledFailure when the run is to end meanwhile */
  async ask(question: Question, withinSeconds?: number): Promise<PlanDecision | undefined> {
    const waiting: Waiting = { ...question, answer: undefined };
    this.#waiting.push(waiting);
    this.#show();
    const isOver = () => waiting.answer !== undefined || (this.#ending !== undefined && !this.#isUndoing);
    if (withinSeconds === undefined) await condition(isOver);
    else await condition(isOver, withinSeconds * 1_000);
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    this.#show();
    if (waiting.answer === undefined && this.#ending !== undefined && !this.#isUndoing) {
      throw new CancelledFailure('the run ends');
    }
    return waiting.answer;
  }

  #decide(asked: PlanDecision): { readonly operationId: PlanRunInput['runId'] } {
    const { decision, reason, requestedBy, taskId, action } = asked;
    const { principal } = requestedBy;
    const changed = action === undefined ? {} : { action };
    const told = { decision, principal, reason, at: new Date().toISOString(), ...changed };
    const asker = this.#asker(decision, taskId);
    this.#decided.push({ ...told, ...(asker === undefined ? {} : { taskId: asker.taskId }) });
    if (asker !== undefined) asker.answer = asked;
    else if (decision === 'hold') this.#isHeld = true;
    else if (decision === 'finish') this.#isHeld = false;
    else if (decision === 'keep' || decision === 'rollBack') this.#ending = decision;
    this.#show();
    return { operationId: this.#input.runId };
  }

  /** Who asked for this decision: the one that is named, or the only one. */
  #asker(decision: JobDecision, taskId?: string): Waiting | undefined {
    return this.#askers(decision).find((each) => taskId === undefined || each.taskId === taskId);
  }

  #askers(decision: JobDecision): Waiting[] {
    return this.#waiting.filter(
      ({ answer, choices }) => answer === undefined && choices.some((each) => each.decision === decision),
    );
  }

  #refuse({ job, decision, taskId, requestedBy, action }: PlanDecision): void {
    const { runId } = this.#input;
    if (job !== runId) throw refusal('DR_JOB_OVER', { job, state: 'has ended' });
    const askers = this.#askers(decision);
    const isOffered = this.#choices().some(
      (choice) => choice.decision === decision && (taskId === undefined || choice.taskId === taskId),
    );
    if (!isOffered) {
      const possible = [...new Set(this.#choices().map((choice) => choice.decision))].join(', ');
      const reason = possible === '' ? 'it is ending' : `possible are ${possible}`;
      throw refusal('DR_DECISION_REFUSED', { decision, job, reason });
    }
    if (taskId === undefined && askers.length > 1) {
      const reason = `name the task: ${askers.map((each) => each.taskId).join(', ')}`;
      throw refusal('DR_DECISION_REFUSED', { decision, job, reason });
    }
    const asker = this.#asker(decision, taskId);
    if (action !== undefined && asker?.isStep !== true) {
      const reason = `${asker?.name ?? 'what waits'} is no step: it has no action that could be another`;
      throw refusal('DR_DECISION_REFUSED', { decision, job, reason });
    }
    const { principal } = requestedBy;
    if (asker === undefined || asker.approvers.length === 0 || asker.approvers.includes(principal)) return;
    const approvers = asker.approvers.join(', ');
    throw refusal('DR_APPROVER_UNKNOWN', { step: asker.name, approvers, principal });
  }

  #show(): void {
    const choices = this.#choices();
    const first = this.#waiting.find(({ answer }) => answer === undefined);
    if (first !== undefined) this.#log.wait(choices, first.error);
    else if (this.#isHeld) this.#log.wait(choices);
    else {
      this.#log.goOn();
      this.#log.offer(choices);
    }
  }

  #choices(): JobChoice[] {
    const ofTasks = this.#waiting
      .filter(({ answer }) => answer === undefined)
      .flatMap(({ choices, taskId }) => choices.map((choice) => ({ ...choice, taskId })));
    if (this.#isUndoing || this.#isClosed || this.#ending !== undefined) return ofTasks;
    const canGoBack = undoOfMove[this.#input.kind] !== null;
    return [
      ...ofTasks,
      this.#isHeld
        ? { decision: 'finish', means: 'The run goes on.' }
        : {
            decision: 'hold',
            means: 'What has begun ends; nothing further begins until the run is resumed.',
          },
      { decision: 'keep', means: 'What has begun ends; the run ends there and leaves everything as it is.' },
      ...(canGoBack ? [{ decision: 'rollBack', means: ROLL_BACK } as const] : []),
    ];
  }
}

const ROLL_BACK =
  "What has begun ends; then steps and machines are taken back, the last one first: drills are cleaned up, failovers and failbacks rolled back. A step runs the plan's undo, also where it did something else.";
