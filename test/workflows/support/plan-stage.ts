/** Runs of plans in the sandbox: what they ask of machines and steps, and what becomes of it. */
import type { BootLogRecord, RunRecord } from '../../../domain/evidence/record.ts';
import { DrError } from '../../../domain/errors.ts';
import { asId } from '../../../domain/ids.ts';
import type { Job, JobDecision } from '../../../domain/job.ts';
import type { RegionLook } from '../../../domain/plan/clashes.ts';
import type {
  PlanGroup,
  PlanRunKind,
  PlanStep,
  RecoveryPlan,
  StepAction,
} from '../../../domain/plan/plan.ts';
import type { MachinePrice } from '../../../domain/ports.ts';
import type { KeepBootLogsInput } from '../../../workflows/contracts/evidence.ts';
import { workflowIds } from '../../../workflows/contracts/ids.ts';
import type { PriceMachinesInput } from '../../../workflows/contracts/plan-look.ts';
import type {
  AskedMember,
  MemberEnd,
  MemberFacts,
  MemberResult,
  OperateMembersInput,
  PlanRunInput,
  RunMember,
  StepInput,
  StepResult,
} from '../../../workflows/contracts/plan.ts';
import type { ActivityCall, Fate, Stagehand } from './sandbox-activities.ts';
import { SandboxDriver } from './sandbox-driver.ts';

export const RUN = asId<PlanRunInput['runId']>('11111111-1111-4111-8111-111111111111');
export const nothing = { before: [], after: [] };
export const requester = { principal: 'olga', requestId: 'request-1' };

export function group(name: string, changes: Partial<PlanGroup> = {}): PlanGroup {
  return { name, after: [], members: [], steps: nothing, isConsistent: false, ...changes };
}

export function step(name: string, changes: Partial<PlanStep> = {}): PlanStep {
  return {
    name,
    when: ['test', 'cleanup', 'failover', 'commit', 'reprotect', 'failback', 'reEnable'],
    isCritical: true,
    timeoutSeconds: 600,
    retries: 0,
    does: { kind: 'command', on: 'configurationServer', argv: [name], environment: {}, secrets: {} },
    ...changes,
  };
}

export function plan(groups: readonly PlanGroup[], changes: Partial<RecoveryPlan> = {}): RecoveryPlan {
  return {
    apiVersion: 'switchback/v1',
    name: 'shop',
    groups,
    steps: nothing,
    onBusy: 'refuse',
    drill: { cleanupAfterSeconds: 4 * 3_600 },
    limits: {},
    ...changes,
  };
}

/** `machine@group`. */
export function members(...names: readonly string[]): RunMember[] {
  return names.map((each) => {
    const [machineName = '', inGroup = ''] = each.split('@');
    return {
      itemId: asId(`item-${machineName}`),
      machineName,
      group: inGroup,
      site: 'berlin',
      location: 'westeurope',
      vmSize: 'Standard_D8s_v5',
      guestFamily: 'linux',
      subnetId: '/networks/production/subnets/shop',
    };
  });
}

export const threeTiers = plan([
  group('database'),
  group('application', { after: ['database'] }),
  group('web', { after: ['application'] }),
]);
export const shop = members('db@database', 'app@application', 'web-1@web', 'web-2@web');

/** What was asked of one machine. */
export interface AskedOperation extends Omit<OperateMembersInput, 'members'> {
  readonly member: AskedMember;
}

export class PlanStage implements Stagehand {
  readonly driver = new SandboxDriver(this);
  /** `failover web-01`, `undo failover web-01`, `step dns`, in the order in which they began. */
  readonly begun: string[] = [];
  /** Machines that were made ready, and those whose turn never comes: `ready web-01`, `leave web-01`. */
  readonly turns: string[] = [];
  /** Beside those that made a machine ready. */
  readonly operations: AskedOperation[] = [];
  readonly steps: StepInput[] = [];
  /** What the runs left as evidence. */
  readonly records: RunRecord[] = [];
  /** Boot logs that were asked for. */
  readonly kept: KeepBootLogsInput[] = [];
  /** What was recorded, every change. */
  readonly jobs: Job[] = [];
  /** Machines that are where a run wants them. */
  readonly reached = new Set<string>();
  /** What machines say of themselves afterwards. */
  facts: MemberFacts = {};
  /** What Azure says of the region. */
  region: RegionLook = { location: 'westeurope', sizes: [], usages: [], subnets: [] };
  /** What the master target says. */
  slots = { slots: 60, used: 0 };
  /** What the price list says, of every machine that is asked about. */
  perHour: number | undefined = undefined;
  /** Questions to the price list. */
  readonly priced: PriceMachinesInput[] = [];
  /** What a scheduled drill finds. */
  pinned: Pick<PlanRunInput, 'plan' | 'members' | 'subnetId'> | undefined;
  /** By what was begun. */
  fate: (what: string, call: ActivityCall) => Fate = () => ({ kind: 'run' });

  async start(
    input: Omit<PlanRunInput, 'runId' | 'requestedBy' | 'choice' | 'shutdownSource'>,
  ): Promise<void> {
    const whole: PlanRunInput = {
      runId: RUN,
      requestedBy: requester,
      choice: { kind: 'latest' },
      shutdownSource: true,
      ...input,
    };
    await this.driver.start('planRun', workflowIds.planRun(input.plan.name), whole);
    await this.driver.settle();
  }

  run(kind: PlanRunKind, of: RecoveryPlan, who: readonly RunMember[], more: Partial<PlanRunInput> = {}) {
    const pinned = { name: of.name, version: 3, sha256: 'a'.repeat(64), plan: of };
    return this.start({ kind, plan: pinned, members: who, ...more });
  }

  job(): Promise<Job> {
    return this.driver.query<Job>(workflowIds.planRun('shop'), 'job');
  }

  /** Answers the code it was refused with. */
  async decide(
    decision: JobDecision,
    more: {
      readonly taskId?: string;
      readonly principal?: string;
      readonly reason?: string;
      readonly action?: StepAction;
    } = {},
  ): Promise<string | undefined> {
    const { principal = 'olga', reason = '', ...rest } = more;
    const answer = await this.driver.update(workflowIds.planRun('shop'), 'decidePlan', {
      job: RUN,
      decision,
      reason,
      requestedBy: { principal, requestId: 'request-2' },
      ...rest,
    });
    await this.driver.settle();
    return answer.accepted ? undefined : answer.code;
  }

  /** The operation of a machine that is held begins to ask an operator; empty: it goes on. */
  async ask(what: string, question: string): Promise<void> {
    this.#asking.set(what, question);
    await this.#tell();
  }

  /** Lets machines come to their end that were held, by what was begun; default: the first. */
  async release(...whats: readonly string[]): Promise<void> {
    const [first] = this.#held.keys();
    for (const what of whats.length === 0 && first !== undefined ? [first] : whats) this.#held.delete(what);
    await this.#tell();
  }

  /** To whoever waits for machines, when there is something to tell. */
  async #tell(): Promise<void> {
    for (const call of this.driver.pending()) {
      if (call.name !== 'operateMembers') continue;
      const ends = this.#operate(call);
      if (ends !== undefined) this.driver.resolve(call, ends);
    }
    await this.driver.settle();
  }

  get held(): string[] {
    return [...this.#held.keys()];
  }

  fateOf(call: ActivityCall): Fate {
    if (call.name === 'lookAtRegion' || call.name === 'answerLand') return this.fate('look', call);
    if (call.name === 'writeEvidence') return this.fate('evidence', call);
    if (call.name === 'priceMachines') return this.fate('price', call);
    const what = named(call);
    if (what === undefined) return { kind: 'run' };
    this.begun.push(what);
    return this.fate(what, call);
  }

  perform(call: ActivityCall): unknown {
    if (call.name === 'operateMembers') return this.#operate(call);
    if (call.name === 'writeEvidence') {
      this.records.push((call.input as { readonly record: RunRecord }).record);
      return { blob: 'evidence/shop', sha256: 'b'.repeat(64), head: 'c'.repeat(64) };
    }
    if (call.name === 'recordJob') this.jobs.push((call.input as { readonly job: Job }).job);
    if (call.name === 'lookAtRegion') return this.region;
    if (call.name === 'answerLand') return { host: 'home', ...this.slots };
    if (call.name === 'priceMachines') return this.#price(call.input as PriceMachinesInput);
    if (call.name === 'keepBootLogs') return this.#keep(call.input as KeepBootLogsInput);
    if (call.name === 'pinPlan') return this.pinned;
    if (call.name !== 'runStep') return null;
    this.steps.push(call.input as StepInput);
    return { detail: 'done', observed: {} } satisfies StepResult;
  }

  #price(input: PriceMachinesInput): readonly MachinePrice[] {
    this.priced.push(input);
    const { perHour } = this;
    return perHour === undefined ? [] : input.machines.map((machine) => ({ ...machine, perHour }));
  }

  #keep(input: KeepBootLogsInput): Readonly<Record<string, BootLogRecord>> {
    this.kept.push(input);
    const log = { at: '2026-01-01T00:00:00.000Z', bytes: 5, sha256: 'd'.repeat(64) };
    return Object.fromEntries(input.machines.map(({ itemId }) => [itemId, log]));
  }

  isLong(name: string): boolean {
    return name === 'operateMembers';
  }

  stops(): boolean {
    return true;
  }

  readonly #held = new Set<string>();
  readonly #fates = new Map<string, Fate>();
  readonly #asking = new Map<string, string>();

  /** Those that have ended; undefined: none has. */
  #operate(call: ActivityCall): readonly MemberEnd[] | undefined {
    const { members: asked, ...shared } = call.input as OperateMembersInput;
    const ends = asked.flatMap((member) => this.#endOf(call, { ...shared, member }) ?? []);
    return ends.length === 0 ? undefined : ends;
  }

  #endOf(call: ActivityCall, asked: AskedOperation): MemberEnd | undefined {
    const { operationId, machineName } = asked.member;
    const what = nameOf(asked);
    const key = `${operationId} ${what}`;
    const fate = this.#fates.get(key) ?? this.#begin(call, asked, what);
    this.#fates.set(key, fate);
    const asks = this.#asking.get(what) ?? '';
    if (asks !== (asked.member.asks ?? '')) return { operationId, asks };
    if (this.#held.has(what)) return undefined;
    if (fate.kind === 'fail') {
      const { code, context } = fate.error;
      return { operationId, error: { code, context } };
    }
    const machine = { machineName, address: '10.0.0.4', vmId: `/vms/${machineName}` };
    const made = asked.phase === 'prepare' ? 'prepared' : 'succeeded';
    const ended = this.reached.has(machineName) ? 'reached' : made;
    return {
      operationId,
      result: { ended, detail: 'runs', machine, facts: this.facts } satisfies MemberResult,
    };
  }

  #begin(call: ActivityCall, asked: AskedOperation, what: string): Fate {
    const isTurn = asked.phase === 'prepare' || asked.phase === 'leave';
    (isTurn ? this.turns : this.begun).push(what);
    const fate = this.fate(what, call);
    if (!isTurn && fate.kind !== 'fail') this.operations.push(asked);
    if (fate.kind === 'hold') this.#held.add(what);
    return fate;
  }
}

function nameOf({ kind, undo, phase, member }: AskedOperation): string {
  const { machineName } = member;
  if (phase === 'prepare') return `ready ${machineName}`;
  if (phase === 'leave') return `leave ${machineName}`;
  return `${undo === true ? 'undo ' : ''}${kind} ${machineName}`;
}

function named({ name, input }: ActivityCall): string | undefined {
  return name === 'runStep' ? `step ${(input as StepInput).stepName}` : undefined;
}

export const trouble = new DrError('DR_INTERNAL', { reason: 'trouble' });

/** Each of these fails once, in any order. */
export function failing(...whats: readonly string[]): (what: string) => Fate {
  const left = [...whats];
  return (what) => {
    const at = left.indexOf(what);
    if (at === -1) return { kind: 'run' };
    left.splice(at, 1);
    return { kind: 'fail', error: trouble };
  };
}
