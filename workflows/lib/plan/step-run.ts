/** One step of a plan: a person, a pause, or a worker. */
import { isCancellation, sleep } from '@temporalio/workflow';
import type { PlanStep, Probe, StepAction } from '../../../domain/plan/plan.ts';
import type { PlanRunInput, RunMember, StepMachine, StepResult, WorkerAction } from '../../contracts/plan.ts';
import { taskQueues } from '../../contracts/task-queues.ts';
import { jobError, knownError, refusal } from '../failures.ts';
import { now, type TaskLog } from '../job-log.ts';
import { stepTries } from '../proxies.ts';
import type { PlanBook } from './book.ts';
import type { Desk } from './desk.ts';

/** What steps know of the run they belong to. */
export interface StepSurroundings {
  readonly input: PlanRunInput;
  readonly desk: Desk;
  readonly book: Pick<PlanBook, 'tried'>;
  /** Members as they are now, by name. */
  readonly machines: Readonly<Record<string, StepMachine>>;
}

type ManualAction = Extract<StepAction, { kind: 'manual' }>;

/** @throws what the step failed with after its last try; CancelledFailure when the run ends meanwhile */
export async function runStep(
  step: Pick<PlanStep, 'name' | 'timeoutSeconds' | 'retries'>,
  action: StepAction,
  around: StepSurroundings,
  tasks: { readonly taskId: string; readonly log: TaskLog },
): Promise<StepResult> {
  if (action.kind === 'manual') return askSomebody(step, action, around, tasks);
  if (action.kind === 'wait') {
    await sleep(action.seconds * 1_000);
    return { detail: `waited ${action.seconds} s`, observed: { seconds: action.seconds } };
  }
  for (let number = 0; ; number += 1) {
    const startedAt = now();
    try {
      return await tryOnce(step, action, around);
    } catch (error) {
      if (number >= step.retries || isCancellation(error)) throw error;
      around.book.tried({ taskId: tasks.taskId, startedAt, endedAt: now(), error: jobError(error) });
      await around.desk.pass();
    }
  }
}

function tryOnce(
  { name, timeoutSeconds }: Pick<PlanStep, 'name' | 'timeoutSeconds'>,
  action: WorkerAction,
  { input, machines }: StepSurroundings,
): Promise<StepResult> {
  const { runId, kind, plan } = input;
  return stepTries(queueOf(action, input, machines), timeoutSeconds).runStep({
    runId,
    planName: plan.name,
    planVersion: plan.version,
    kind,
    stepName: name,
    action,
    machines,
    timeoutSeconds,
  });
}

async function askSomebody(
  { name, timeoutSeconds }: Pick<PlanStep, 'name' | 'timeoutSeconds'>,
  { text, approvers, onSilence }: ManualAction,
  { input, desk }: StepSurroundings,
  { taskId, log }: { readonly taskId: string; readonly log: TaskLog },
): Promise<StepResult> {
  const isBounded = onSilence !== 'wait' || input.unattended === true;
  // What is asked of people stands where errors stand: in front of whoever looks at the job.
  const question = knownError('DR_STEP_WAITS', { step: name, text });
  log.wait(question);
  const answer = await desk.ask(
    {
      taskId,
      name,
      approvers,
      error: question,
      choices: [
        { decision: 'approve', means: `"${name}" is done: the run goes on.` },
        { decision: 'reject', means: `"${name}" fails; it can be tried again or skipped afterwards.` },
      ],
    },
    isBounded ? timeoutSeconds : undefined,
  );
  log.goOn();
  if (answer === undefined) {
    if (onSilence !== 'approve') {
      throw refusal('DR_STEP_UNANSWERED', { step: name, seconds: timeoutSeconds });
    }
    return { detail: `nobody answered within ${timeoutSeconds} s: approved`, observed: { silence: true } };
  }
  const { decision, reason, requestedBy } = answer;
  const { principal } = requestedBy;
  if (decision === 'reject') throw refusal('DR_STEP_REJECTED', { step: name, principal, reason });
  return {
    detail: `approved by ${principal}${reason === '' ? '' : `: ${reason}`}`,
    observed: { approvedBy: principal, reason },
  };
}

/** Where the step is carried out: beside the machine it asks, as far as it asks one. */
export function queueOf(
  action: WorkerAction,
  { members }: Pick<PlanRunInput, 'members'>,
  machines: Readonly<Record<string, StepMachine>>,
): string {
  const [first] = members;
  if (action.kind === 'webhook') return taskQueues.steps;
  if (action.kind === 'command') {
    return action.on === 'site' && first !== undefined ? taskQueues.stepsSite(first.site) : taskQueues.steps;
  }
  const name = action.kind === 'probe' ? machineOf(action.probe) : action.machine;
  const member: RunMember | undefined = members.find(({ machineName }) => machineName === name) ?? first;
  if (member === undefined) return taskQueues.steps;
  const runsInAzure = machines[name]?.vmId !== undefined;
  return runsInAzure ? taskQueues.stepsAzure(member.location) : taskQueues.stepsSite(member.site);
}

function machineOf(probe: Probe): string {
  return probe.machine;
}
