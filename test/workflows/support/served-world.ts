/**
 * The model of the world as activities of a real Temporal worker: a test can fail, hold and count them. Nothing is
 * mocked: these are ordinary activities on ordinary queues.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { toApplicationFailure } from '../../../activities/failure.ts';
import { DrError } from '../../../domain/errors.ts';
import type { ProtectedItemId } from '../../../domain/ids.ts';
import type { SessionOutcome } from '../../../workflows/contracts/types.ts';
import { handlersOf, type Handlers } from './world/handlers.ts';
import { isSession, World, type Call, type SessionName } from './world/world.ts';

type Handler = (input: unknown, call: Call) => unknown;

export class ServedWorld {
  readonly world: World;
  /** Not those of the catalogue. */
  readonly calls: string[] = [];
  /** Activities that throw this until the entry is removed. */
  readonly failing = new Map<string, DrError>();
  /** What the next sessions answer at once; without an entry a session runs until it is cancelled. */
  readonly sessionAnswers: Partial<Record<SessionName, SessionOutcome[]>> = {};
  /** A session of a lost site: it neither beats nor hears of its cancellation. */
  lostSite = false;
  readonly #gates = new Map<string, Promise<void>>();
  readonly #held: (() => void)[] = [];

  constructor(itemId: ProtectedItemId) {
    this.world = new World(itemId);
  }

  /** Makes an activity wait before it begins, until what is returned is called. */
  hold(name: string): () => void {
    let open = () => {};
    this.#gates.set(name, new Promise((resolve) => (open = resolve)));
    this.#held.push(open);
    return open;
  }

  /** Ends activities that are held or that a lost site keeps; call before the worker stops. */
  release(): void {
    for (const each of this.#held.splice(0)) each();
  }

  count(name: string): number {
    return this.calls.filter((call) => call === name).length;
  }

  activities(): Record<string, (input: unknown) => Promise<unknown>> {
    const handlers = Object.entries(handlersOf(this.world) as Record<keyof Handlers, Handler>);
    return Object.fromEntries(
      handlers.map(([name, handler]) => [name, (input: unknown) => this.#perform(name, handler, input)]),
    );
  }

  async #perform(name: string, handler: Handler, input: unknown): Promise<unknown> {
    const { workflowExecution, activityId, attempt } = Context.current().info;
    if (!name.startsWith('record')) this.calls.push(name);
    await Promise.race([
      this.#gates.get(name),
      this.#gates.has(name) ? Context.current().cancelled : undefined,
    ]);
    const failure = this.failing.get(name);
    if (failure !== undefined) throw toApplicationFailure(failure);
    const workflowId = workflowExecution?.workflowId ?? '';
    const work = () => handler(input, { workflowId, activity: `${workflowId} ${activityId}`, attempt });
    try {
      const answer = isSession(name) ? await this.#session(name, work) : work();
      this.world.check(name);
      return answer;
    } catch (error) {
      throw error instanceof DrError ? toApplicationFailure(error) : error;
    }
  }

  async #session(name: SessionName, begin: () => unknown): Promise<SessionOutcome> {
    const answer = this.sessionAnswers[name]?.shift();
    if (answer !== undefined) return answer;
    this.world.sessions[name] += 1;
    try {
      begin();
      if (this.lostSite && name === 'shipSession') {
        await new Promise<void>((resolve) => this.#held.push(resolve));
      }
      const context = Context.current();
      const timer = setInterval(() => context.heartbeat(), 500);
      try {
        await context.cancelled;
      } finally {
        clearInterval(timer);
      }
      throw ApplicationFailure.nonRetryable('a session only ends by cancellation here');
    } finally {
      this.world.sessions[name] -= 1;
    }
  }
}
