/** The record that a run leaves for auditors, from what it has booked. */
import { EVIDENCE_VERSION, type Objective, type RunRecord } from '../../../domain/evidence/record.ts';
import type { JobError } from '../../../domain/job.ts';
import { RUN_TAG } from '../../../domain/names.ts';
import type { PlanRunInput } from '../../contracts/plan.ts';
import type { PlanBook } from './book.ts';
import type { BootLogs } from './boot-logs.ts';
import type { Decided } from './desk.ts';
import { memberRecord, stepRecord } from './evidence-parts.ts';

export interface RunEnd {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly outcome: RunRecord['run']['outcome'];
  readonly error?: JobError;
  readonly decided: readonly Decided[];
  readonly bootLogs: BootLogs;
}

export function evidenceOf(input: PlanRunInput, book: PlanBook, end: RunEnd): RunRecord {
  const { runId, kind, requestedBy, plan } = input;
  const { startedAt, endedAt, outcome, error, decided, bootLogs } = end;
  const members = book.members.map((done) => memberRecord(done, book, bootLogs[done.itemId]));
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
      ...objectivesOf(input, book, end),
    },
    plan: { name: plan.name, version: plan.version, sha256: plan.sha256 },
    members,
    ...cleanupOf(kind, book, endedAt),
    steps: book.steps.map((done) => stepRecord(done, { input, book, decided })),
    decisions: decided.map(({ principal, at, decision, taskId, reason, action }) => ({
      by: principal,
      at,
      decision,
      ...(taskId === undefined ? {} : { step: taskId }),
      ...(reason === '' ? {} : { reason }),
      ...(action === undefined ? {} : { instead: JSON.stringify(action) }),
    })),
    ...(input.prediction === undefined || !measuresRto(input) ? {} : { prediction: input.prediction }),
  };
}

/** Targets are the plan's; for the RPO, where it names none, the threshold that the policies of all machines share. */
function objectivesOf(
  input: PlanRunInput,
  book: PlanBook,
  { startedAt, endedAt, outcome }: RunEnd,
): Pick<RunRecord['run'], 'rpoSeconds' | 'rtoSeconds'> {
  if (!measuresRto(input)) return {};
  const { rpoSeconds: rpo, rtoSeconds: rto } = input.plan.plan.targets ?? {};
  const took = (Date.parse(endedAt) - Date.parse(startedAt)) / 1_000;
  const rpoSeconds = objective(rpo ?? sharedThreshold(input), worstRpo(input, book));
  const rtoSeconds = objective(rto, outcome === 'succeeded' && isWhole(book) ? took : undefined);
  return {
    ...(rpoSeconds === undefined ? {} : { rpoSeconds }),
    ...(rtoSeconds === undefined ? {} : { rtoSeconds }),
  };
}

function objective(target: number | undefined, reached: number | undefined): Objective | undefined {
  if (target === undefined && reached === undefined) return undefined;
  return {
    ...(target === undefined ? {} : { target }),
    ...(reached === undefined ? {} : { reached }),
  };
}

/** Policies watch replication to Azure: on the way home their threshold says nothing. */
function sharedThreshold({ kind, members }: PlanRunInput): number | undefined {
  const thresholds = new Set(members.map(({ rpoThresholdSeconds }) => rpoThresholdSeconds));
  const [only] = thresholds;
  return kind !== 'failback' && thresholds.size === 1 ? only : undefined;
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

/** Undefined: a machine of the run was left behind, or what it lost is not known. */
function worstRpo(input: PlanRunInput, { members }: PlanBook): number | undefined {
  const known = members.flatMap(({ outcome, facts }) =>
    outcome === 'succeeded' || outcome === 'reached' ? (facts.rpoSeconds ?? []) : [],
  );
  return known.length === 0 || known.length < input.members.length ? undefined : Math.max(...known);
}

/** Nothing was skipped, and no machine was there already: the time that was measured is that of the whole plan. */
function isWhole({ members, steps }: PlanBook): boolean {
  return (
    members.every(({ outcome }) => outcome === 'succeeded') &&
    steps.every(({ outcome }) => outcome !== 'skipped')
  );
}
