/**
 * A run of a recovery plan: a drill, its cleanup, a failover, its commit, and the three phases home, over many machines.
 *
 * Theory of operation. Before: the plan's version, the machines its selectors found and the operator's choices are
 * pinned in the input; nothing looks at the plan again. In a drill and a failover the machines of all groups are made
 * ready together: their disks are one moment's, and the time to copy them is spent once. A group begins when its own
 * machines are ready and the groups it waits for are done; on the way home the arrows turn round. Inside a group steps come before, machines beside each
 * other as far as what they need is free, steps after. Each machine is moved by its own protected item: this workflow only asks for the operation and awaits its
 * run, so everything that keeps one machine safe (state table, fence, undo) holds here too. After: every machine is
 * where the run was to bring it, or the job says for each why not.
 *
 * Failures. A critical step or a machine that fails waits for an operator: retry, skip with a reason, keep everything
 * as it is, or roll back; the groups that do not depend on it go on. Unattended, the run rolls itself back. Rolling
 * back takes machines and steps back newest first and asks an operator about each undo that fails. What has begun is
 * never cut off: an operation under way ends by its own rules before anything is taken back.
 *
 * At the same time: one run of a plan, the workflow id is the lock; a machine that another run or an operator holds
 * is refused or waited for, as the plan says; one that is there already is left alone and said so. On a crash of any
 * process the workflow goes on; operation ids are a function of the run, the machine and the try, so nothing is
 * asked for twice. A drill that nobody comes back to is cleaned up after the time the plan names.
 */
import {
  CancellationScope,
  isCancellation,
  ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
} from '@temporalio/workflow';
import type { RunRecord } from '../domain/evidence/record.ts';
import { planJobKinds, type JobTask } from '../domain/job.ts';
import type { RegionLook } from '../domain/plan/clashes.ts';
import { areMadeReadyTogether } from '../domain/plan/order.ts';
import { workflowIds } from './contracts/ids.ts';
import { jobQuery } from './contracts/messages.ts';
import type { PlanRunInput, PlanRunOutcome, StepMachine } from './contracts/plan.ts';
import { jobError, refusal } from './lib/failures.ts';
import { jobLog, now, type JobLog } from './lib/job-log.ts';
import { PlanBook } from './lib/plan/book.ts';
import { lookAtCapacity } from './lib/plan/capacity.ts';
import { keepBootLogs, type BootLogs } from './lib/plan/boot-logs.ts';
import { topLevel, type PlanContext } from './lib/plan/context.ts';
import { Desk } from './lib/plan/desk.ts';
import { evidenceOf } from './lib/plan/evidence.ts';
import { Fleet } from './lib/plan/fleet.ts';
import { playGroups } from './lib/plan/groups.ts';
import { letGo, makeReady, settled } from './lib/plan/members.ts';
import { Moves } from './lib/plan/moves.ts';
import { rollBack } from './lib/plan/roll-back.ts';
import { playSteps } from './lib/plan/steps.ts';
import { evidence } from './lib/proxies.ts';

/** Of larger runs the catalogue is told the groups only until the end: the run itself answers with everything. */
const MEMBERS_TOLD = 50;

export async function planRun(input: PlanRunInput): Promise<PlanRunOutcome> {
  return { runId: input.runId, ended: await new PlanRun(input).play() };
}

class PlanRun implements PlanContext {
  readonly input: PlanRunInput;
  readonly log: JobLog;
  readonly desk: Desk;
  readonly book = new PlanBook();
  readonly fleet: Fleet;
  readonly moves: Moves;
  readonly machines: Record<string, StepMachine>;
  sizes: RegionLook['sizes'] = [];
  readonly unseen: Record<string, string> = {};
  readonly #startedMs = Date.now();
  #endedMs = this.#startedMs;
  #bootLogs: BootLogs = {};
  #failure: unknown;

  constructor(input: PlanRunInput) {
    this.input = input;
    this.log = jobLog({
      id: input.runId,
      kind: planJobKinds[input.kind],
      subject: input.plan.name,
      requestedBy: input.requestedBy.principal,
      ...(input.members.length > MEMBERS_TOLD ? { told: withoutMembers } : {}),
    });
    setHandler(jobQuery, () => this.log.job);
    this.desk = new Desk(input, this.log);
    this.moves = new Moves(input);
    this.fleet = new Fleet(this);
    this.machines = Object.fromEntries(
      input.members.map(({ machineName }) => [machineName, { machineName, address: null }]),
    );
  }

  fail(error: unknown): void {
    this.#failure ??= error;
  }

  /** A run that is cancelled from outside ends by its own rules: a drill is taken back, everything else is kept. */
  play(): Promise<PlanRunOutcome['ended']> {
    const ending = this.input.kind === 'test' ? 'rollBack' : 'keep';
    CancellationScope.current().cancelRequested.catch(() => this.desk.end(ending));
    return CancellationScope.nonCancellable(() => this.#play());
  }

  async #play(): Promise<PlanRunOutcome['ended']> {
    this.fleet.begin();
    if (this.input.kind === 'test') this.#endWhenForgotten().catch(() => undefined);
    await this.#untilEnding();
    this.#endedMs = Date.now();
    this.#bootLogs = await keepBootLogs(this);
    const ending = this.desk.close();
    if (ending === undefined && this.#failure === undefined) return this.#succeed();
    if (ending !== 'rollBack') await letGo(this);
    const isTakenBack = ending === 'rollBack' && (await rollBack(this));
    if (!isTakenBack) await this.#startExpiry();
    const isFailed = this.#failure !== undefined;
    await this.#leaveEvidence(ending === 'rollBack' ? 'undone' : isFailed ? 'failed' : 'cancelled');
    if (!isFailed) await this.log.cancelled();
    else await this.log.fail(this.#failure);
    return isFailed ? 'failed' : 'cancelled';
  }

  /** Everything in order; what ends it early is on the desk. */
  async #untilEnding(): Promise<void> {
    const { before, after } = this.input.plan.plan.steps;
    try {
      await lookAtCapacity(this);
      await playSteps(this, before, 'the run', topLevel(this));
      const isMadeReady = areMadeReadyTogether(this.input.kind, this.input.plan.plan.groups);
      await settled([...(isMadeReady ? [makeReady(this)] : []), playGroups(this)]);
      await playSteps(this, after, 'the run', topLevel(this));
    } catch (error) {
      if (!isCancellation(error)) this.fail(error);
      this.desk.end('keep');
    }
  }

  async #succeed(): Promise<'succeeded'> {
    const { runId, plan } = this.input;
    await this.#startExpiry();
    await this.#leaveEvidence('succeeded');
    await this.log.succeed({
      plan: { name: plan.name, version: plan.version, sha256: plan.sha256 },
      runId,
      rtoSeconds: (this.#endedMs - this.#startedMs) / 1_000,
      members: this.book.members,
      steps: this.book.steps,
      decisions: this.desk.decided,
    });
    return 'succeeded';
  }

  /** The run has ended as it has, whether or not its evidence can be written now: the task says so. */
  async #leaveEvidence(outcome: RunRecord['run']['outcome']): Promise<void> {
    const record = evidenceOf(this.input, this.book, {
      startedAt: new Date(this.#startedMs).toISOString(),
      endedAt: outcome === 'succeeded' ? new Date(this.#endedMs).toISOString() : now(),
      outcome,
      bootLogs: this.#bootLogs,
      decided: this.desk.decided,
      ...(this.#failure === undefined ? {} : { error: jobError(this.#failure) }),
    });
    const write = () => evidence.writeEvidence({ record });
    await this.log
      .step('evidence', 'Seal the evidence', write, ({ blob, sha256 }) => `${blob}, SHA-256 ${sha256}`)
      .catch(() => undefined);
  }

  /** A drill that waits for somebody who never comes takes itself back. */
  async #endWhenForgotten(): Promise<void> {
    const { name, plan } = this.input.plan;
    const seconds = plan.drill.cleanupAfterSeconds;
    await sleep(seconds * 1_000);
    if (this.desk.ending !== undefined) return;
    this.fail(refusal('DR_DRILL_EXPIRED', { plan: name, seconds }));
    this.desk.end('rollBack');
  }

  /** What a drill leaves running is cleaned up by itself later. */
  async #startExpiry(): Promise<void> {
    const { kind, runId, plan, members } = this.input;
    const hasBegun = members.some((member) => this.moves.of(member).tries > 0);
    if (kind !== 'test' || !hasBegun) return;
    await startChild('drillExpiry', {
      workflowId: workflowIds.drillExpiry(runId),
      args: [{ drill: this.input, afterSeconds: plan.plan.drill.cleanupAfterSeconds }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  }
}

/** What changes with every machine is left out, but for what waits for a decision: the run itself tells it. */
function withoutMembers(tasks: readonly JobTask[]): readonly JobTask[] {
  return tasks.map((task) => {
    const { children, ...rest } = task;
    if (children === undefined || task.endedAt !== undefined) return rest;
    const { detail: _, ...still } = rest;
    const waiting = children.filter(({ state }) => state === 'waitingForInput');
    return waiting.length === 0 ? still : { ...still, children: waiting };
  });
}
