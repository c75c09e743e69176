/**
 * Runs the real workflow bundle in the SDK's own sandbox with virtual time, without a server: workflows, their
 * children, messages, timers, cancellation and continue-as-new as Temporal would drive them, one thing at a time and
 * in the same order always.
 */
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import { ActivityBoard, type ActivityCall, type Stagehand } from './sandbox-activities.ts';
import { asInHistory, differenceOf, type DoneTask } from './history.ts';
import {
  childFailure,
  commandsOf,
  createWorkflow,
  CANCELLED,
  fromPayload,
  infoOf,
  REQUEST_CANCEL,
  TERMINATED,
  toPayload,
  type Activation,
  type Command,
  type Failure,
  type Job,
  type Payload,
  type Workflow,
  type WorkflowInfo,
} from './sandbox-sdk.ts';

const FIRST_MS = Date.UTC(2026, 0, 1);
const TASK_MS = 10;
const SDK_FLAGS = [1, 2, 3, 4, 5, 6];
const EVENTS_PER_TASK = 3;

export interface Ending {
  readonly status: 'completed' | 'failed' | 'cancelled' | 'continued' | 'terminated';
  readonly result?: unknown;
  readonly failure?: Failure | null;
}

interface Instance {
  readonly info: WorkflowInfo;
  readonly parent:
    | { readonly instance: Instance; readonly seq: number; readonly closePolicy: number }
    | undefined;
  workflow: Workflow;
  jobs: Job[];
  readonly done: DoneTask[];
  readonly timers: Map<number, number>;
  readonly children: Map<number, Instance>;
  events: number;
  ended: Ending | undefined;
}

export type UpdateAnswer =
  | { readonly accepted: true; readonly result: unknown }
  | { readonly accepted: false; readonly code: string; readonly message: string };

export class SandboxDriver {
  nowMs = FIRST_MS;
  /** Workflow tasks so far. */
  tasks = 0;
  /** Virtual time that a workflow task takes. */
  taskMs = TASK_MS;
  readonly #activities: ActivityBoard;
  readonly #instances = new Map<string, Instance>();
  readonly #answers = new Map<string, UpdateAnswer>();
  #numbers = 0;

  constructor(stagehand: Stagehand) {
    this.#activities = new ActivityBoard(stagehand, (runId, seq, result) => {
      const instance = [...this.#instances.values()].find((each) => each.info.runId === runId);
      instance?.jobs.push({ resolveActivity: { seq, result } });
    });
  }

  async start(type: string, workflowId: string, input: unknown): Promise<void> {
    await this.#create({ type, workflowId, args: [toPayload(input)], parent: undefined });
  }

  /** Undefined: it runs. */
  ending(workflowId: string): Ending | undefined {
    return this.#instance(workflowId).ended;
  }

  has(workflowId: string): boolean {
    return this.#instances.has(workflowId);
  }

  runIdOf(workflowId: string): string {
    return this.#instance(workflowId).info.runId;
  }

  /** Events of the present run's history, estimated. */
  eventsOf(workflowId: string): number {
    return this.#instance(workflowId).events;
  }

  /** Input of the present run: what continue-as-new has carried. */
  inputOf(workflowId: string): unknown {
    const [first] = this.#instance(workflowId).done;
    const init = first?.activation.jobs?.[0]?.initializeWorkflow;
    return fromPayload(init?.arguments?.[0]);
  }

  async update(workflowId: string, name: string, input: unknown): Promise<UpdateAnswer> {
    const id = this.#number('update');
    this.#instance(workflowId).jobs.push({
      doUpdate: {
        id,
        protocolInstanceId: id,
        name,
        input: [toPayload(input)],
        runValidator: true,
        headers: {},
      },
    });
    await this.settle({ tasksOnly: true });
    const answer = this.#answers.get(id);
    if (answer === undefined) throw new Error(`${workflowId} does not answer the update ${name}`);
    return answer;
  }

  async query<T>(workflowId: string, name: string): Promise<T> {
    const { workflow, info } = this.#instance(workflowId);
    const queryWorkflow = { queryId: 'q', queryType: name, arguments: [], headers: {} };
    // Queries are the one job that the sandbox does not make a message of first.
    const job: Job & { readonly variant: string } = { queryWorkflow, variant: 'queryWorkflow' };
    const completion = await workflow.activate({ runId: info.runId, jobs: [job] });
    const answer = completion.successful?.commands?.[0]?.respondToQuery;
    if (answer?.succeeded == null) throw new Error(`${workflowId} does not answer ${name}`);
    return fromPayload(answer.succeeded.response) as T;
  }

  signal(workflowId: string, signalName: string, ...args: unknown[]): void {
    this.#instance(workflowId).jobs.push({
      signalWorkflow: { signalName, input: args.map(toPayload), headers: {} },
    });
  }

  cancel(workflowId: string): void {
    this.#instance(workflowId).jobs.push({ cancelWorkflow: { reason: 'test' } });
  }

  terminate(workflowId: string): void {
    this.#end(this.#instance(workflowId), { status: 'terminated', failure: TERMINATED });
  }

  /** Activities that are held or run long. */
  pending(): ActivityCall[] {
    return this.#activities.waiting();
  }

  /** Lets a held activity begin, or ends a long one with an answer. */
  resolve(call: ActivityCall, answer?: unknown): void {
    this.#activities.resolve(call, answer);
  }

  /** A worker dies: every workflow is built anew from its history, and must ask for the same again. */
  async replay(): Promise<number> {
    let replayed = 0;
    for (const instance of this.#instances.values()) {
      if (instance.ended !== undefined) continue;
      await instance.workflow.dispose();
      const anew = await createWorkflow(instance.info);
      const { tasks, isExact } = asInHistory(instance.done);
      for (const { activation, commands } of tasks) {
        const again = commandsOf(await anew.activate({ ...activation, isReplaying: true }));
        const difference = differenceOf(again, commands, isExact);
        if (difference !== '') throw new Error(`${instance.info.workflowId} replays to ${difference}`);
        replayed += 1;
      }
      instance.workflow = anew;
    }
    return replayed;
  }

  /** Runs everything that need not wait for time. */
  async settle(options: { readonly tasksOnly?: boolean } = {}): Promise<void> {
    for (;;) {
      const ready = [...this.#instances.values()].find((each) => each.jobs.length > 0 && !each.ended);
      if (ready !== undefined) {
        await this.#activate(ready);
        continue;
      }
      if (options.tasksOnly === true || !(await this.#activities.dispatch())) return;
    }
  }

  /** When the next timer fires; undefined: none is set. */
  get nextTimerMs(): number | undefined {
    return this.#nextTimer()?.atMs;
  }

  /** Lets virtual time pass; timers fire in order. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      await this.settle();
      const next = this.#nextTimer();
      if (next === undefined || next.atMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.instance.timers.delete(next.seq);
      next.instance.jobs.push({ fireTimer: { seq: next.seq } });
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  async dispose(): Promise<void> {
    for (const { workflow } of this.#instances.values()) await workflow.dispose();
    this.#instances.clear();
  }

  // ------------------------------------------------------------ workflow tasks

  async #create(wanted: {
    readonly type: string;
    readonly workflowId: string;
    readonly args: Payload[];
    readonly parent: Instance['parent'];
  }): Promise<Instance> {
    const { type, workflowId, args, parent } = wanted;
    const info = infoOf({
      type,
      workflowId,
      runId: this.#number('run'),
      nowMs: this.nowMs,
      parent: parent?.instance.info,
    });
    const instance: Instance = {
      info,
      parent,
      workflow: await createWorkflow(info),
      jobs: [{ initializeWorkflow: { workflowType: type, workflowId, arguments: args, headers: {} } }],
      done: [],
      timers: new Map(),
      children: new Map(),
      events: 0,
      ended: undefined,
    };
    this.#instances.set(workflowId, instance);
    return instance;
  }

  async #activate(instance: Instance): Promise<void> {
    this.nowMs += this.taskMs;
    this.tasks += 1;
    instance.events += EVENTS_PER_TASK + instance.jobs.length;
    const activation: Activation = {
      runId: instance.info.runId,
      timestamp: msToTs(this.nowMs),
      historyLength: instance.events,
      availableInternalFlags: SDK_FLAGS,
      jobs: instance.jobs,
    };
    instance.jobs = [];
    const commands = commandsOf(await instance.workflow.activate(activation));
    instance.done.push({ activation, commands });
    instance.events += commands.length;
    for (const command of commands) await this.#obey(instance, command);
  }

  async #obey(instance: Instance, command: Command): Promise<void> {
    const { startTimer, cancelTimer, scheduleActivity, requestCancelActivity, updateResponse } = command;
    const child = command.startChildWorkflowExecution;
    const signal = command.signalExternalWorkflowExecution;
    const cancelled = command.cancelChildWorkflowExecution;
    if (startTimer != null) {
      instance.timers.set(startTimer.seq ?? 0, this.nowMs + tsToMs(startTimer.startToFireTimeout));
    } else if (cancelTimer != null) {
      instance.timers.delete(cancelTimer.seq ?? 0);
    } else if (scheduleActivity != null) {
      this.#activities.schedule(instance.info, scheduleActivity);
    } else if (requestCancelActivity != null) {
      this.#activities.cancel(instance.info.runId, requestCancelActivity.seq ?? 0);
    } else if (updateResponse != null) {
      this.#answer(updateResponse);
    } else if (child != null) {
      await this.#startChild(instance, child);
    } else if (signal != null) {
      this.#signalFrom(instance, signal);
    } else if (cancelled != null) {
      instance.children
        .get(cancelled.childWorkflowSeq ?? 0)
        ?.jobs.push({ cancelWorkflow: { reason: 'parent' } });
    } else {
      await this.#close(instance, command);
    }
  }

  async #close(instance: Instance, command: Command): Promise<void> {
    const completed = command.completeWorkflowExecution;
    const continued = command.continueAsNewWorkflowExecution;
    if (completed != null) {
      this.#end(instance, { status: 'completed', result: fromPayload(completed.result) });
    } else if (command.failWorkflowExecution != null) {
      this.#end(instance, { status: 'failed', failure: command.failWorkflowExecution.failure ?? null });
    } else if (command.cancelWorkflowExecution != null) {
      this.#end(instance, { status: 'cancelled', failure: CANCELLED });
    } else if (continued != null) {
      const { workflowId, workflowType } = instance.info;
      this.#end(instance, { status: 'continued' });
      await instance.workflow.dispose();
      const args = [...(continued.arguments ?? [])];
      await this.#create({
        type: continued.workflowType || workflowType,
        workflowId,
        args,
        parent: undefined,
      });
    } else {
      throw new Error(`the driver knows no command like ${JSON.stringify(command)}`);
    }
  }

  #end(instance: Instance, ending: Ending): void {
    instance.ended = ending;
    this.#activities.drop(instance.info.runId);
    instance.timers.clear();
    for (const child of instance.children.values()) {
      const { closePolicy = 0 } = child.parent ?? {};
      if (child.ended === undefined && closePolicy === REQUEST_CANCEL) {
        child.jobs.push({ cancelWorkflow: { reason: 'parent closed' } });
      }
    }
    const { parent } = instance;
    if (parent === undefined || parent.instance.ended !== undefined) return;
    parent.instance.children.delete(parent.seq);
    const failure = childFailure(instance.info, ending.failure);
    const result =
      ending.status === 'completed'
        ? { completed: { result: toPayload(ending.result) } }
        : ending.status === 'cancelled'
          ? { cancelled: { failure } }
          : { failed: { failure } };
    parent.instance.jobs.push({ resolveChildWorkflowExecution: { seq: parent.seq, result } });
  }

  async #startChild(
    instance: Instance,
    child: NonNullable<Command['startChildWorkflowExecution']>,
  ): Promise<void> {
    const { workflowId, workflowType, parentClosePolicy } = child;
    const seq = child.seq ?? 0;
    const made = await this.#create({
      type: workflowType ?? '',
      workflowId: workflowId ?? '',
      args: [...(child.input ?? [])],
      parent: { instance, seq, closePolicy: parentClosePolicy ?? 0 },
    });
    instance.children.set(seq, made);
    instance.jobs.push({
      resolveChildWorkflowExecutionStart: { seq, succeeded: { runId: made.info.runId } },
    });
  }

  #signalFrom(instance: Instance, signal: NonNullable<Command['signalExternalWorkflowExecution']>): void {
    const workflowId = signal.workflowExecution?.workflowId ?? signal.childWorkflowId ?? '';
    const target = this.#instances.get(workflowId);
    const isThere = target !== undefined && target.ended === undefined;
    if (isThere) {
      const { signalName, args } = signal;
      target.jobs.push({ signalWorkflow: { signalName: signalName ?? '', input: args ?? [], headers: {} } });
    }
    instance.jobs.push({
      resolveSignalExternalWorkflow: {
        seq: signal.seq ?? 0,
        ...(isThere ? {} : { failure: { message: 'there is no such workflow', applicationFailureInfo: {} } }),
      },
    });
  }

  #answer({ protocolInstanceId, rejected, completed }: NonNullable<Command['updateResponse']>): void {
    const id = protocolInstanceId ?? '';
    if (rejected != null) {
      const code = rejected.applicationFailureInfo?.type ?? '';
      this.#answers.set(id, { accepted: false, code, message: rejected.message ?? '' });
    }
    if (completed != null) this.#answers.set(id, { accepted: true, result: fromPayload(completed) });
  }

  #nextTimer() {
    return [...this.#instances.values()]
      .filter(({ ended }) => ended === undefined)
      .flatMap((instance) => [...instance.timers].map(([seq, atMs]) => ({ instance, seq, atMs })))
      .toSorted((a, b) => a.atMs - b.atMs)[0];
  }

  #instance(workflowId: string): Instance {
    const instance = this.#instances.get(workflowId);
    if (instance === undefined) throw new Error(`there is no workflow ${workflowId}`);
    return instance;
  }

  #number(what: string): string {
    this.#numbers += 1;
    return `${what}-${this.#numbers}`;
  }
}
