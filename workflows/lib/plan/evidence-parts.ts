/** What the record of a run says of its machines and steps. */
import { FAILURES_MAX, type MemberRecord, type StepRecord } from '../../../domain/evidence/record.ts';
import type { JobDecision } from '../../../domain/job.ts';
import { stepsOfRun } from '../../../domain/plan/member-steps.ts';
import type { PlanStep } from '../../../domain/plan/plan.ts';
import type { PlanRunInput } from '../../contracts/plan.ts';
import type { MemberDone, PlanBook, StepDone } from './book.ts';
import type { Decided } from './desk.ts';

type ApprovalAnswer = NonNullable<StepRecord['approval']>['answer'];

export function memberRecord(
  done: MemberDone,
  book: PlanBook,
  bootLog: MemberRecord['bootLog'],
): MemberRecord {
  const { machineName, itemId, group, outcome, startedAt, endedAt, detail, address, vmId, facts, error } =
    done;
  const { recoveryPointId, recoveryPointTime, consistency, source, rpoSeconds, rtoSeconds, disks } = facts;
  const tasks = ['ready', 'machine', 'undo-machine'].map((task) => `${task}-${machineName}`);
  const failures = tasks.flatMap((task) => book.failuresOf(task)).slice(0, FAILURES_MAX);
  return {
    machineName,
    itemId,
    group,
    outcome,
    startedAt,
    endedAt,
    detail,
    ...(recoveryPointId === undefined || recoveryPointTime === undefined
      ? {}
      : {
          recoveryPoint: {
            id: recoveryPointId,
            time: recoveryPointTime,
            ...(consistency === undefined ? {} : { consistency }),
          },
        }),
    ...(source === undefined ? {} : { source }),
    ...(rpoSeconds === undefined ? {} : { rpoSeconds }),
    ...(rtoSeconds === undefined ? {} : { rtoSeconds }),
    ...(disks === undefined ? {} : { disks }),
    ...(vmId === undefined ? {} : { azureIds: [vmId] }),
    ...(address === null ? {} : { address }),
    ...(error === undefined ? {} : { error }),
    ...(failures.length === 0 ? {} : { failures }),
    ...(bootLog === undefined ? {} : { bootLog }),
  };
}

export interface RunSurroundings {
  readonly input: PlanRunInput;
  readonly book: PlanBook;
  readonly decided: readonly Decided[];
}

export function stepRecord(done: StepDone, { input, book, decided }: RunSurroundings): StepRecord {
  const { taskId, step, where, action, outcome, startedAt, endedAt, detail, observed, error } = done;
  const isCritical = stepNamed(input, step)?.isCritical;
  const failures = book.failuresOf(taskId);
  const approval = approvalOf(done, decided);
  const isGood = outcome === 'succeeded' || outcome === 'undone';
  return {
    name: step,
    where,
    action,
    ...(isCritical === undefined || outcome === 'undone' ? {} : { isCritical }),
    ...(failures.length < FAILURES_MAX ? { tries: failures.length + (isGood ? 1 : 0) } : {}),
    outcome,
    startedAt,
    endedAt,
    detail,
    observed,
    ...(approval === undefined ? {} : { approval }),
    ...(error === undefined ? {} : { error }),
    ...(failures.length === 0 ? {} : { failures }),
  };
}

function stepNamed({ kind, plan, members }: PlanRunInput, step: string): PlanStep | undefined {
  return stepsOfRun({ kind, plan: plan.plan, members }).find(({ name }) => name === step);
}

const answers: Readonly<Partial<Record<JobDecision, ApprovalAnswer>>> = {
  approve: 'approved',
  reject: 'rejected',
  skip: 'skipped',
};

/** The last word about the step, of a person or of a silence that the plan has given a meaning. */
function approvalOf(
  { taskId, action, outcome, observed, endedAt }: StepDone,
  decided: readonly Decided[],
): StepRecord['approval'] {
  if (outcome === 'undone') return undefined;
  const last = decided.findLast((each) => each.taskId === taskId && answers[each.decision] !== undefined);
  const answer = last && answers[last.decision];
  if (last !== undefined && answer !== undefined) {
    const { principal, at, reason } = last;
    return { answer, by: principal, at, ...(reason === '' ? {} : { reason }) };
  }
  return action === 'manual' && observed['silence'] === true
    ? { answer: 'approved', at: endedAt }
    : undefined;
}
