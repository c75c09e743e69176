/**
 * Plays a runbook: step after step, with an operator able to hold it, to roll it back, or to decide after a failure.
 *
 * A step that has begun is owed its undo even if its action never answered, because a request may have succeeded
 * although its answer was lost. An operator's decision stops the step that runs (its activities hear of it within
 * seconds) and is looked at between steps, so that there is one place where a run turns. Undo runs newest first and
 * cannot be cancelled. Something more urgent may displace a run: it ends at once and undoes nothing.
 */
import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { HandlerUnfinishedPolicy } from '@temporalio/common';
import type { JobDecision, JobError } from '../../domain/job.ts';
import {
  atTurnUpdate,
  decideUpdate,
  giveWaySignal,
  jobQuery,
  replicationStoppedSignal,
  stopReplicationSignal,
  turnUpdate,
} from '../contracts/messages.ts';
import type { Run, RunOutcome } from '../contracts/runs.ts';
import type { DecisionInput } from '../contracts/types.ts';
import { choices, isPastReturn, type RunPhase } from './decisions.ts';
import { jobError, refusal } from './failures.ts';
import { jobLog, type JobLog, type TaskLog } from './job-log.ts';
import type { Runbook, Step, StepTools, Undo } from './runbook.ts';

export function runRunbook<I extends Run, F>(book: Runbook<I, F>, input: I): Promise<RunOutcome<F>> {
  return new Player(book, input).play();
}

type Turn = 'next' | 'again' | 'rollBack';

class Player<I extends Run, F> {
  readonly #book: Runbook<I, F>;
  readonly #input: I;
  readonly #log: JobLog;
  readonly #attended: boolean;
  readonly #begun: Step<I, F>[] = [];
  #facts: Partial<F> = {};
  #step: Step<I, F>;
  #phase: RunPhase = 'running';
  #decision: DecisionInput | undefined;
  #displaced = false;
  #scope: CancellationScope | undefined;
  #failure: unknown;
  #epoch: number | undefined;
  #isAtTurn = false;
  #turnComes: boolean | undefined;

  constructor(book: Runbook<I, F>, input: I) {
    const [first] = book.steps;
    if (first === undefined) throw refusal('DR_INTERNAL', { reason: 'a runbook without steps' });
    this.#book = book;
    this.#input = input;
    this.#step = first;
    const onFailure = typeof book.onFailure === 'function' ? book.onFailure(input) : book.onFailure;
    this.#attended = onFailure === 'wait';
    this.#log = jobLog({
      id: input.runId,
      kind: typeof book.kind === 'function' ? book.kind(input) : book.kind,
      itemId: input.item.itemId,
      subject: input.item.machineName,
      requestedBy: input.requestedBy.principal,
    });
    this.#listen();
  }

  async play(): Promise<RunOutcome<F>> {
    for (const step of this.#book.steps) {
      if (step.applies?.(this.#input, this.#facts) === false) continue;
      this.#step = step;
      let turn: Turn = 'again';
      while (turn === 'again' && !this.#displaced) turn = await this.#take(step);
      if (this.#displaced) return this.#leave();
      if (turn === 'rollBack') return this.#unwind();
    }
    if (this.#decision?.decision === 'rollBack') return this.#unwind();
    const facts = this.#facts;
    await this.#log.succeed(this.#book.result?.(this.#input, facts) ?? {});
    return { ended: 'succeeded', facts };
  }

  /** One try of a step, after what an operator may have asked for meanwhile. */
  async #take(step: Step<I, F>): Promise<Turn> {
    const asked = this.#takeDecision();
    if (asked?.decision === 'rollBack') return 'rollBack';
    if (asked?.decision === 'hold') return this.#hold();
    this.#setPhase('running');
    const isRepeated = this.#begun.includes(step);
    if (!isRepeated) this.#begun.push(step);
    this.#log.offer(this.#choices());
    try {
      await this.#inScope(async () => {
        if (isRepeated) await this.#renewEpoch();
        await this.#perform(step);
      });
      return 'next';
    } catch (error) {
      if (this.#decision !== undefined || this.#displaced) return 'again';
      // Ended from outside by a cancellation of the workflow: what was begun is undone.
      if (CancellationScope.current().consideredCancelled) return this.#endedFromOutside(error);
      if (step.kind === 'bestEffort') return 'next';
      return this.#decideAfter(step, error);
    }
  }

  async #perform(step: Step<I, F>): Promise<void> {
    const done = await this.#log.step(
      step.id,
      step.name,
      (tasks) => step.run(this.#input, this.#facts, this.#tools(tasks)),
      (result) => result.detail,
    );
    this.#facts = { ...this.#facts, ...done.facts };
  }

  /** An earlier try of the step may still run somewhere: what this one writes must not be taken for that one's. */
  async #renewEpoch(): Promise<void> {
    if (!('sessionEpoch' in this.#facts)) return;
    const sessionEpoch = await this.#stopReplication();
    this.#facts = { ...this.#facts, sessionEpoch };
  }

  async #inScope(work: () => Promise<void>): Promise<void> {
    const scope = new CancellationScope();
    this.#scope = scope;
    try {
      await scope.run(work);
    } finally {
      this.#scope = undefined;
    }
  }

  async #decideAfter(step: Step<I, F>, error: unknown): Promise<Turn> {
    const nothingChanged = this.#begun.every((each) => each.kind === 'check');
    if (nothingChanged) return this.#failed(error, 'rollBack');
    if (!this.#attended && !isPastReturn(this.#begun)) return this.#failed(error, 'rollBack');
    const { decision, reason } = await this.#waitFor('failed', jobError(error));
    if (decision === 'rollBack') return this.#failed(error, 'rollBack');
    if (decision !== 'skip') return 'again';
    this.#log.skipped(step.id, reason);
    return 'next';
  }

  async #hold(): Promise<Turn> {
    const { decision } = await this.#waitFor('held');
    return decision === 'rollBack' ? 'rollBack' : 'again';
  }

  /** What was begun is undone, unless there is no return: then the next run of the operation goes on from here. */
  #endedFromOutside(error: unknown): Turn {
    if (isPastReturn(this.#begun)) this.#displaced = true;
    return this.#failed(error, 'rollBack');
  }

  #failed(error: unknown, turn: Turn): Turn {
    this.#failure = error;
    return turn;
  }

  async #unwind(): Promise<RunOutcome<F>> {
    const refused = this.#begun.every((step) => step.kind === 'check');
    this.#setPhase('undoing');
    this.#log.offer([]);
    for (const step of this.#begun.toReversed()) {
      if (step.undo === undefined) continue;
      this.#step = step;
      const lost = await this.#undo(step, step.undo);
      if (lost !== undefined) return lost;
    }
    const facts = this.#facts;
    if (this.#failure === undefined) {
      await this.#log.cancelled();
      return { ended: 'undone', facts, refused };
    }
    return { ended: 'undone', facts, refused, error: await this.#log.fail(this.#failure) };
  }

  /** Answers how the run ends when an undo is given up. */
  async #undo(step: Step<I, F>, undo: Undo<I, F>): Promise<RunOutcome<F> | undefined> {
    for (;;) {
      try {
        const undoing = CancellationScope.nonCancellable(() =>
          this.#log.step(
            `undo-${step.id}`,
            undo.name,
            (tasks) => undo.run(this.#input, this.#facts, this.#tools(tasks)),
            (detail) => detail,
          ),
        );
        if (await this.#isOvertaken(undoing)) return this.#leave();
        return undefined;
      } catch (error) {
        if (!this.#attended) return this.#lose(this.#failure ?? error);
        const { decision } = await this.#waitFor('undoFailed', jobError(error));
        if (decision === 'abandon' || this.#displaced) return this.#lose(this.#failure ?? error);
        this.#setPhase('undoing');
      }
    }
  }

  /** A rehearsal's undo may take hours where Azure is slow: something more urgent does not wait for it. */
  async #isOvertaken(undoing: Promise<unknown>): Promise<boolean> {
    if (this.#attended) {
      await undoing;
      return false;
    }
    const displaced = CancellationScope.nonCancellable(() => condition(() => this.#displaced));
    // Whoever loses the race has nobody to tell.
    undoing.catch(() => undefined);
    return Promise.race([undoing.then(() => false), displaced.then(() => true)]);
  }

  async #lose(error: unknown): Promise<RunOutcome<F>> {
    return { ended: 'lost', facts: this.#facts, error: await this.#log.fail(error) };
  }

  #leave(): Promise<RunOutcome<F>> {
    return this.#lose(refusal('DR_RUN_DISPLACED', { job: this.#input.runId }));
  }

  // ------------------------------------------------------------ the operator

  #listen(): void {
    setHandler(jobQuery, () => this.#log.job);
    setHandler(
      decideUpdate,
      (asked) => {
        // Going on as if nothing was asked withdraws what was asked before.
        this.#decision = asked.decision === 'finish' && this.#phase === 'running' ? undefined : asked;
        if (this.#phase === 'running' && this.#decision !== undefined) this.#scope?.cancel();
        return { operationId: this.#input.runId };
      },
      { validator: (asked) => this.#refuseUnlessOffered(asked.decision) },
    );
    setHandler(giveWaySignal, () => {
      this.#displaced = true;
      this.#scope?.cancel();
    });
    // Whoever asks when the run ends hears that it has ended.
    setHandler(atTurnUpdate, () => condition(() => this.#isAtTurn), {
      unfinishedPolicy: HandlerUnfinishedPolicy.ABANDON,
    });
    setHandler(turnUpdate, ({ comes }) => {
      this.#turnComes = comes;
      // It had waited too long, and now it has come.
      if (!comes || this.#phase !== 'failed' || !this.#isAtTurn) return;
      const { requestedBy } = this.#input;
      this.#decision ??= { decision: 'retry', reason: 'its turn has come', requestedBy };
    });
    setHandler(replicationStoppedSignal, ({ sessionEpoch }) => {
      this.#epoch = sessionEpoch;
    });
  }

  #refuseUnlessOffered(decision: JobDecision): void {
    const possible = this.#choices().map((each) => each.decision);
    if (possible.includes(decision)) return;
    const reason =
      possible.length === 0
        ? 'it is being rolled back'
        : `possible are ${possible.join(', ')} at "${this.#step.name}"`;
    throw refusal('DR_DECISION_REFUSED', { decision, job: this.#input.runId, reason });
  }

  async #waitFor(phase: RunPhase, error?: JobError): Promise<DecisionInput> {
    this.#setPhase(phase);
    this.#log.wait(this.#choices(), error);
    await CancellationScope.nonCancellable(() =>
      condition(() => this.#decision !== undefined || this.#displaced),
    );
    this.#log.goOn();
    return this.#takeDecision() ?? { decision: 'retry', reason: '', requestedBy: this.#input.requestedBy };
  }

  #takeDecision(): DecisionInput | undefined {
    const asked = this.#decision;
    this.#decision = undefined;
    return asked;
  }

  #setPhase(phase: RunPhase): void {
    this.#phase = phase;
  }

  #choices() {
    return choices({ book: this.#book, phase: this.#phase, begun: this.#begun, step: this.#step });
  }

  // ------------------------------------------------------------ the entity

  #tools(tasks: TaskLog): StepTools {
    return {
      ...tasks,
      stopReplication: () => this.#stopReplication(),
      turn: (withinSeconds) => this.#turn(withinSeconds),
    };
  }

  async #turn(withinSeconds: number): Promise<boolean> {
    this.#isAtTurn = true;
    await condition(() => this.#turnComes !== undefined, withinSeconds * 1_000);
    const comes = this.#turnComes === true;
    // A turn that did not come may still come when the step is tried again.
    if (comes) this.#isAtTurn = false;
    else this.#turnComes = undefined;
    return comes;
  }

  /**
   * The entity cancels its sessions, waits for their end (at most a heartbeat timeout) and answers with the epoch
   * this run writes with: an attempt that still lives somewhere is older and can no longer write.
   */
  async #stopReplication(): Promise<number> {
    const { parent } = workflowInfo();
    if (parent === undefined) {
      throw refusal('DR_INTERNAL', { reason: 'a run belongs to its protected item' });
    }
    this.#epoch = undefined;
    await getExternalWorkflowHandle(parent.workflowId).signal(stopReplicationSignal);
    await condition(() => this.#epoch !== undefined);
    return this.#epoch ?? 0;
  }
}
