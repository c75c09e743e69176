/** The record that a run leaves for auditors, from what it has booked. */
import {
  EVIDENCE_VERSION,
  type MemberRecord,
  type RunRecord,
  type StepRecord,
} from '../../../domain/evidence/record.ts';
import type { JobError } from '../../../domain/job.ts';
import { RUN_TAG } from '../../../domain/names.ts';
import type { PlanRunInput } from '../../contracts/plan.ts';
import type { MemberDone, PlanBook, StepDone } from './book.ts';
import type { Decided } from './desk.ts';

export interface RunEnd {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly outcome: RunRecord['run']['outcome'];
  readonly error?: JobError;
  readonly decided: readonly Decided[];
}

export function evidenceOf(input: PlanRunInput, book: PlanBook, end: RunEnd): RunRecord {
  const { runId, kind, requestedBy, plan } = input;
  const { startedAt, endedAt, outcome, error, decided } = end;
  const members = book.members.map(memberRecord);
  const rpo = worst(members.map(({ rpoSeconds }) => rpoSeconds));
  return {
    apiVersion: EVIDENCE_VERSION,
    run: {
      id: runId,
      kind,
      startedBy: requestedBy.principal,
      startedAt,
      endedAt,
      outcome,
      ...(error === undefined ? {} : { error }),
      ...(rpo === undefined ? {} : { rpoSeconds: { reached: rpo } }),
      ...(measuresRto(input) && outcome === 'succeeded'
        ? { rtoSeconds: { reached: (Date.parse(endedAt) - Date.parse(startedAt)) / 1_000 } }
        : {}),
    },
    plan: { name: plan.name, version: plan.version, sha256: plan.sha256 },
    members,
    ...cleanupOf(kind, book, endedAt),
    steps: book.steps.map(stepRecord),
    decisions: decided.map(({ principal, at, decision, taskId, reason }) => ({
      by: principal,
      at,
      decision,
      ...(taskId === undefined ? {} : { step: taskId }),
      ...(reason === '' ? {} : { reason }),
    })),
  };
}

/** Only when every machine of the run was seen to be clean. */
function cleanupOf(
  kind: PlanRunInput['kind'],
  { members }: PlanBook,
  at: string,
): Pick<RunRecord, 'cleanup'> {
  const removed = members.flatMap(({ facts }) => facts.removedRunId ?? []);
  if (kind !== 'cleanup' || removed.length === 0 || removed.length !== members.length) return {};
  return {
    cleanup: {
      runTag: removed.map((runId) => `${RUN_TAG}=${runId}`).join(', '),
      providers: ['Azure Resource Manager', 'storage account'],
      remaining: [],
      at,
    },
  };
}

/** Runs that bring an application up on another side. */
function measuresRto({ kind }: PlanRunInput): boolean {
  return kind === 'test' || kind === 'failover' || kind === 'failback';
}

function memberRecord(done: MemberDone): MemberRecord {
  const { machineName, itemId, group, outcome, startedAt, endedAt, detail, address, vmId, facts, error } =
    done;
  const { recoveryPointId, recoveryPointTime, consistency, source, rpoSeconds, rtoSeconds } = facts;
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
    ...(vmId === undefined ? {} : { azureIds: [vmId] }),
    ...(address === null ? {} : { address }),
    ...(error === undefined ? {} : { error }),
  };
}

function stepRecord({ step, where, action, outcome, startedAt, endedAt, ...rest }: StepDone): StepRecord {
  const { detail, observed, error } = rest;
  const approval = action === 'manual' ? approvalOf(observed, outcome, endedAt) : undefined;
  return {
    name: step,
    where,
    action,
    outcome,
    startedAt,
    endedAt,
    detail,
    observed,
    ...(approval === undefined ? {} : { approval }),
    ...(error === undefined ? {} : { error }),
  };
}

function approvalOf(
  { approvedBy, reason, silence }: StepDone['observed'],
  outcome: StepDone['outcome'],
  at: string,
): StepRecord['approval'] {
  if (outcome !== 'succeeded') return undefined;
  if (silence === true) return { answer: 'approved', at };
  return {
    answer: 'approved',
    at,
    ...(typeof approvedBy === 'string' ? { by: approvedBy } : {}),
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
  };
}

function worst(seconds: readonly (number | undefined)[]): number | undefined {
  const known = seconds.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
