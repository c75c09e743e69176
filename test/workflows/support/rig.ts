/** One item in the sandbox, with the model of the world as its activities. */
import { DrError } from '../../../domain/errors.ts';
import { asId, type OperationId, type ProtectedItemId } from '../../../domain/ids.ts';
import type { Job, JobDecision } from '../../../domain/job.ts';
import type { ItemOperation } from '../../../domain/protected-item.ts';
import type { ItemView, OperationRequest } from '../../../workflows/contracts/types.ts';
import { workflowIds } from '../../../workflows/contracts/ids.ts';
import type { ProtectedItemInput } from '../../../workflows/protected-item.ts';
import type { ActivityCall, Fate, Stagehand } from './sandbox-activities.ts';
import { SandboxDriver } from './sandbox-driver.ts';
import { handlersOf, type Handlers } from './world/handlers.ts';
import type { WorldState } from './world/model.ts';
import { protectInput } from './world/samples.ts';
import { isSession, World } from './world/world.ts';

const ITEM: ProtectedItemId = asId('00000000-0000-4000-8000-000000000001');
export const requestedBy = { principal: 'test', requestId: 'r1' };

/** An item at rest: what its entity carries and what the world is. */
export interface Checkpoint {
  readonly input: ProtectedItemInput;
  readonly world: WorldState;
}

export type OperationInput<O extends ItemOperation> = Omit<
  Extract<OperationRequest, { operation: O }>,
  'operation' | 'operationId' | 'requestedBy'
>;

export class Rig implements Stagehand {
  readonly world: World;
  readonly driver: SandboxDriver;
  readonly entity = workflowIds.protectedItem(ITEM);
  /** Activities that were performed, in order; not those of the catalogue. */
  readonly calls: ActivityCall[] = [];
  /** Decides about every activity but those of the catalogue. */
  fate: (call: ActivityCall) => Fate | Promise<Fate> = () => ({ kind: 'run' });
  /** False: a long activity does not hear of its cancellation. */
  hears: (call: ActivityCall) => boolean = () => true;
  /** Long activities that were cancelled and have not heard of it. */
  readonly deaf: ActivityCall[] = [];
  readonly #handlers: Handlers;
  #operations = 0;

  constructor(world = new World(ITEM)) {
    this.world = world;
    this.#handlers = handlersOf(world);
    this.driver = new SandboxDriver(this);
    world.now = () => this.driver.nowMs;
  }

  static async at({ input, world }: Checkpoint): Promise<Rig> {
    const rig = new Rig(new World(ITEM, world));
    await rig.driver.start('protectedItem', rig.entity, input);
    await rig.driver.settle();
    return rig;
  }

  static async protected(): Promise<Rig> {
    const rig = new Rig();
    await rig.driver.start('protectedItem', rig.entity, {});
    const operationId = asId<OperationId>('op-protect');
    await rig.driver.update(rig.entity, 'protect', protectInput({ itemId: ITEM, operationId }));
    await rig.driver.settle();
    return rig;
  }

  /** Makes the entity continue as new, and reads what it carries. */
  async checkpoint(): Promise<Checkpoint> {
    this.driver.signal(this.entity, 'upgrade');
    await this.driver.settle();
    const input = this.driver.inputOf(this.entity) as ProtectedItemInput;
    return { input, world: structuredClone(this.world.state) };
  }

  /** Books an operation; answers its id, or the code of the refusal. */
  async book<O extends ItemOperation>(
    operation: O,
    input: OperationInput<O>,
  ): Promise<{ readonly id: OperationId; readonly refused?: string }> {
    this.#operations += 1;
    const id = asId<OperationId>(`${operation}-${this.#operations}-${this.driver.nowMs}`);
    const request = { ...input, operation, operationId: id, requestedBy };
    const answer = await this.driver.update(this.entity, 'operate', request);
    return answer.accepted ? { id } : { id, refused: answer.code };
  }

  /** Runs an operation to where nothing moves by itself. */
  async run<O extends ItemOperation>(operation: O, input: OperationInput<O>): Promise<OperationId> {
    const { id, refused } = await this.book(operation, input);
    if (refused !== undefined) throw new Error(`${operation} is refused: ${refused}`);
    await this.driver.settle();
    return id;
  }

  /** Answers the code of a refusal. */
  async decide(operation: OperationId, decision: JobDecision): Promise<string | undefined> {
    const asked = { decision, requestedBy, reason: 'a test' };
    const answer = await this.driver.update(workflowIds.run(ITEM, operation), 'decide', asked);
    return answer.accepted ? undefined : answer.code;
  }

  runOf(operation: OperationId): string {
    return workflowIds.run(ITEM, operation);
  }

  isOver(operation: OperationId): boolean {
    const id = this.runOf(operation);
    return this.driver.has(id) && this.driver.ending(id) !== undefined;
  }

  job(operation: OperationId): Promise<Job> {
    return this.driver.query<Job>(this.runOf(operation), 'job');
  }

  view(): Promise<ItemView> {
    return this.driver.query<ItemView>(this.entity, 'describe');
  }

  names(): string[] {
    return this.calls.map(({ name }) => name);
  }

  // ------------------------------------------------------------ stagehand

  fateOf(call: ActivityCall): Fate | Promise<Fate> {
    return call.name.startsWith('record') ? { kind: 'run' } : this.fate(call);
  }

  perform(call: ActivityCall, attempt: number): unknown {
    const { name, input, workflowId, activity } = call;
    const handler = this.#handlers[name as keyof Handlers] as
      | ((input: unknown, call: object) => unknown)
      | undefined;
    if (handler === undefined) throw new Error(`the world knows no activity ${name}`);
    if (!name.startsWith('record')) this.calls.push(call);
    if (isSession(name)) this.world.sessions[name] += 1;
    try {
      const answer = handler(structuredClone(input), { workflowId, activity, attempt });
      this.world.check(name);
      this.#look();
      return answer === undefined ? undefined : structuredClone(answer);
    } catch (error) {
      if (!isSession(name) || !(error instanceof DrError)) throw error;
      this.world.sessions[name] -= 1;
      const { code: type, message: reason, remedy: suggestion } = error;
      return { outcome: 'stopped', condition: { type, category: 'critical', reason, suggestion } };
    }
  }

  isLong(name: string): boolean {
    return isSession(name);
  }

  stops(call: ActivityCall): boolean {
    if (!this.hears(call)) {
      this.deaf.push(call);
      return false;
    }
    if (isSession(call.name)) this.world.sessions[call.name] -= 1;
    return true;
  }

  /** Each session that runs goes round once more. */
  cycle(): void {
    for (const { name, input, workflowId, activity } of this.driver.pending()) {
      if (!isSession(name)) continue;
      const handler = this.#handlers[name] as (input: unknown, call: object) => unknown;
      handler(structuredClone(input), { workflowId, activity, attempt: 1 });
    }
  }

  /** Ends the session of that name with an answer. */
  endSession(name: string, answer: unknown): void {
    const call = this.driver.pending().find((each) => each.name === name);
    if (call !== undefined) this.driver.resolve(call, answer);
  }

  /** The watch sees at once how machines are powered. */
  #look(): void {
    for (const call of this.driver.pending()) {
      if (call.name !== 'watchHome') continue;
      const { machineIds, last } = call.input as Parameters<Handlers['watchHome']>[0];
      const { machines } = this.world.state;
      const outcome = machineIds.some((id) => machines[id]?.power === 'on') ? 'on' : 'off';
      if (outcome !== last) this.driver.resolve(call, { outcome });
    }
  }

  look(): void {
    this.#look();
  }
}
