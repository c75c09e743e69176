/** The activities of workflows in the sandbox: what was scheduled, what is held, what runs long, and how each ends. */
import { DrError } from '../../../domain/errors.ts';
import {
  activityFailure,
  applicationFailure,
  CANCELLED,
  fromPayload,
  toPayload,
  type Command,
  type Resolution,
  type WorkflowInfo,
} from './sandbox-sdk.ts';

export interface ActivityCall {
  readonly name: string;
  readonly input: unknown;
  readonly workflowId: string;
  /** Unique over all workflows. */
  readonly activity: string;
}

/**
 * What becomes of an activity. `twice`: an attempt does its work, its answer is lost, the next attempt does it again.
 * `fail`: it does nothing and fails. `lost`: it does its work and fails. `hold`: it neither begins nor ends until it
 * is resolved or cancelled; `works`: it has done its work when it is cancelled.
 */
export type Fate =
  | { readonly kind: 'run' | 'twice' }
  | { readonly kind: 'hold'; readonly works?: boolean }
  | { readonly kind: 'fail' | 'lost'; readonly error: DrError };

/** What plays the activities. */
export interface Stagehand {
  fateOf(call: ActivityCall): Fate | Promise<Fate>;
  /** Throws a DrError; `undefined` as the answer of a long one lets it run until it is ended or cancelled. */
  perform(call: ActivityCall, attempt: number): unknown;
  isLong(name: string): boolean;
  /** A long activity was cancelled or ended. `false`: it does not hear of it. */
  stops(call: ActivityCall): boolean;
}

interface Pending extends ActivityCall {
  readonly seq: number;
  readonly runId: string;
  state: 'queued' | 'held' | 'running';
  works: boolean;
}

type Scheduled = NonNullable<Command['scheduleActivity']>;
type Resolved = (runId: string, seq: number, result: Resolution) => void;

export class ActivityBoard {
  readonly #stagehand: Stagehand;
  readonly #resolved: Resolved;
  readonly #pending = new Map<string, Pending>();
  #queue: Pending[] = [];

  constructor(stagehand: Stagehand, resolved: Resolved) {
    this.#stagehand = stagehand;
    this.#resolved = resolved;
  }

  schedule({ workflowId, runId }: WorkflowInfo, command: Scheduled): void {
    const seq = command.seq ?? 0;
    const call: Pending = {
      seq,
      runId,
      name: command.activityType ?? '',
      input: fromPayload(command.arguments?.[0]),
      workflowId,
      activity: keyOf(runId, seq),
      state: 'queued',
      works: false,
    };
    this.#pending.set(call.activity, call);
    this.#queue.push(call);
  }

  /** Begins what is queued; false: nothing was. */
  async dispatch(): Promise<boolean> {
    const queue = this.#queue.splice(0);
    for (const call of queue) await this.#begin(call);
    return queue.length > 0;
  }

  cancel(runId: string, seq: number): void {
    const call = this.#pending.get(keyOf(runId, seq));
    if (call === undefined) return;
    if (call.state === 'held' && call.works) {
      this.#stagehand.perform(call, 1);
      if (this.#stagehand.isLong(call.name)) this.#stagehand.stops(call);
    }
    if (call.state === 'running' && !this.#stagehand.stops(call)) return;
    this.#end(call, { cancelled: { failure: { ...activityFailure(call), cause: CANCELLED } } });
  }

  /** Their workflow has ended: nobody hears their answers. */
  drop(runId: string): void {
    for (const call of this.#pending.values()) {
      if (call.runId !== runId) continue;
      if (call.state === 'running') this.#stagehand.stops(call);
      this.#pending.delete(call.activity);
    }
  }

  /** Held, or running long. */
  waiting(): ActivityCall[] {
    return [...this.#pending.values()].filter(({ state }) => state !== 'queued');
  }

  /** Lets a held one begin, or ends a long one with an answer. */
  resolve({ activity }: ActivityCall, answer?: unknown): void {
    const call = this.#pending.get(activity);
    if (call === undefined || call.state === 'queued') return;
    if (call.state === 'held') return this.#perform(call, 1);
    this.#stagehand.stops(call);
    this.#end(call, { completed: { result: toPayload(answer) } });
  }

  async #begin(call: Pending): Promise<void> {
    const isGone = () => this.#pending.get(call.activity) !== call;
    if (isGone()) return;
    const fate = await this.#stagehand.fateOf(call);
    if (isGone()) return;
    switch (fate.kind) {
      case 'hold':
        call.state = 'held';
        call.works = fate.works ?? false;
        return;
      case 'fail':
        return this.#fail(call, fate.error);
      case 'lost':
        this.#stagehand.perform(call, 1);
        if (this.#stagehand.isLong(call.name)) this.#stagehand.stops(call);
        return this.#fail(call, fate.error);
      case 'twice':
        return this.#twice(call);
      case 'run':
        return this.#perform(call, 1);
    }
  }

  #twice(call: Pending): void {
    try {
      if (!this.#stagehand.isLong(call.name)) this.#stagehand.perform(call, 1);
    } catch (error) {
      if (!(error instanceof DrError)) throw error;
    }
    this.#perform(call, 2);
  }

  #perform(call: Pending, attempt: number): void {
    call.state = 'running';
    try {
      const answer = this.#stagehand.perform(call, attempt);
      if (answer === undefined && this.#stagehand.isLong(call.name)) return;
      this.#end(call, { completed: { result: toPayload(answer) } });
    } catch (error) {
      if (!(error instanceof DrError)) throw error;
      this.#fail(call, error);
    }
  }

  #fail(call: Pending, error: DrError): void {
    this.#end(call, { failed: { failure: { ...activityFailure(call), cause: applicationFailure(error) } } });
  }

  #end(call: Pending, result: Resolution): void {
    this.#pending.delete(call.activity);
    this.#resolved(call.runId, call.seq, result);
  }
}

function keyOf(runId: string, seq: number): string {
  return `${runId}/${seq}`;
}
