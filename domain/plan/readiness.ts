/** Whether a whole plan could run now, and whether a drill has shown that it would. */
import { oldestFirst, type Readiness, type Reason } from '../readiness.ts';
import { digestChanges, type MemberDigest } from './member-digest.ts';
import { layersOf, waitsOf, type PlanDirection } from './order.ts';
import type { PlanGroup } from './plan.ts';

/** Machines, and changes of one of them, that a reason names. */
const NAMED_MAX = 3;

/** A run of a plan that ended well, as far as verification goes. */
export interface PastRun {
  readonly version: number;
  /** Machines it brought where it was to bring them. */
  readonly itemIds: readonly string[];
  /** What those machines were like, by item; of one that is absent it is not known. */
  readonly digests: Readonly<Record<string, MemberDigest>>;
  /** Machines or steps were skipped by an operator, or a step did something else than the plan says. */
  readonly wasCutShort: boolean;
  /** ISO 8601 UTC. */
  readonly startedAt: string;
  readonly endedAt: string;
}

export interface ProofMember {
  readonly itemId: string;
  readonly machineName: string;
  /** As the machine is now. */
  readonly digest?: MemberDigest;
}

/** What a drill has shown of a plan depends on these. */
export interface PlanProof {
  readonly name: string;
  readonly version: number;
  /** ISO 8601 UTC, of that version. */
  readonly appliedAt: string;
  readonly members: readonly ProofMember[];
  /** Runs that succeeded, in any order. */
  readonly drills: readonly PastRun[];
  readonly cleanups: readonly PastRun[];
}

export interface PlanFacts extends PlanProof {
  readonly groups: readonly PlanGroup[];
  readonly direction: PlanDirection;
  readonly members: readonly PlanMemberReadiness[];
  /** Why a run would be refused whatever its machines are like, one line each. */
  readonly refusals: readonly string[];
}

export interface PlanMemberReadiness extends ProofMember {
  readonly group: string;
  readonly readiness: Readiness;
}

export interface PlanReason extends Reason {
  /** Absent: it is about the plan. */
  readonly machine?: string;
}

export interface Verification {
  readonly verified: boolean;
  /** Present when not verified. */
  readonly notVerified?: Reason;
  /** ISO 8601 UTC; absent: none is known. */
  readonly lastGoodDrillAt?: string;
}

export interface PlanReadiness extends Readiness, Verification {
  readonly reasons: readonly PlanReason[];
}

export function readinessOfPlan(plan: PlanFacts): PlanReadiness {
  const { members } = plan;
  const reasons = oldestFirst<PlanReason>([
    ...plan.refusals.map((message) => refusal(plan.name, message)),
    ...members.flatMap(({ machineName: machine, readiness }) =>
      readiness.reasons.map((reason) => ({ ...reason, machine })),
    ),
  ]);
  const rtoSeconds = plan.refusals.length > 0 ? undefined : rtoOf(plan);
  const rpoSeconds = worst(members.map(({ readiness }) => readiness.expectedRpoSeconds));
  return {
    ready: reasons.length === 0,
    ...(rtoSeconds === undefined ? {} : { expectedRtoSeconds: rtoSeconds }),
    ...(rpoSeconds === undefined ? {} : { expectedRpoSeconds: rpoSeconds }),
    reasons,
    ...verificationOf(plan),
  };
}

export function verificationOf(plan: PlanProof): Verification {
  const drill = lastGoodDrill(plan.drills, plan.cleanups);
  const notVerified = notVerifiedReason(plan, drill);
  return {
    verified: notVerified === undefined,
    ...(notVerified === undefined ? {} : { notVerified }),
    ...(drill === undefined ? {} : { lastGoodDrillAt: drill.endedAt }),
  };
}

/** The newest drill that did all of what the plan says, and after which a cleanup went over every one of its machines. */
function lastGoodDrill(drills: readonly PastRun[], cleanups: readonly PastRun[]): PastRun | undefined {
  return drills
    .filter((drill) => !drill.wasCutShort && isCleanedUp(drill, cleanups))
    .toSorted((a, b) => b.endedAt.localeCompare(a.endedAt))[0];
}

function isCleanedUp({ itemIds, endedAt }: PastRun, cleanups: readonly PastRun[]): boolean {
  return cleanups.some(
    (cleanup) =>
      cleanup.startedAt >= endedAt &&
      !cleanup.wasCutShort &&
      itemIds.every((id) => cleanup.itemIds.includes(id)),
  );
}

function notVerifiedReason(plan: PlanProof, drill: PastRun | undefined): Reason | undefined {
  const told = (message: string, since?: string): Reason => ({
    code: 'DR_PLAN_NOT_VERIFIED',
    message,
    remedy: `Run a drill with \`switchback plan run ${plan.name} test\`, then clean it up.`,
    ...(since === undefined ? {} : { since }),
  });
  if (drill === undefined) return told('no drill of it has succeeded and been cleaned up');
  if (plan.version > drill.version) {
    return told(`its last good drill was of version ${drill.version}, not ${plan.version}`, plan.appliedAt);
  }
  const now = new Map(plan.members.map(({ itemId, machineName }) => [itemId, machineName]));
  const added = [...now].filter(([itemId]) => !drill.itemIds.includes(itemId));
  const gone = drill.itemIds.filter((itemId) => !now.has(itemId));
  const changes = [
    added.length === 0 ? [] : `${added.map(([, name]) => name).join(', ')} came`,
    gone.length === 0 ? [] : `${gone.join(', ')} left`,
    changedMachines(plan.members, drill),
  ].flat();
  return changes.length === 0 ? undefined : told(`since its last good drill ${changes.join(', ')}`);
}

/** One entry for each, at most so many, each with its first changes. */
function changedMachines(members: readonly ProofMember[], { digests }: PastRun): string[] {
  const changed = members.flatMap(({ itemId, machineName, digest }) => {
    const drilled = digests[itemId];
    const changes = drilled === undefined || digest === undefined ? [] : digestChanges(drilled, digest);
    return changes.length === 0 ? [] : [`${machineName} changed (${bounded(changes, '; ')})`];
  });
  return changed.length === 0 ? [] : [bounded(changed, ', ')];
}

function bounded(all: readonly string[], between: string): string {
  const rest = all.length - NAMED_MAX;
  return [...all.slice(0, NAMED_MAX), ...(rest > 0 ? [`and ${rest} more`] : [])].join(between);
}

/** Along the longest way through the groups; machines of one group move beside each other. Steps are not counted. */
function rtoOf({ groups, direction, members }: PlanFacts): number | undefined {
  if (members.length === 0) return undefined;
  const waits = waitsOf(groups, direction);
  const ends = new Map<string, number>();
  for (const name of layersOf(groups, direction).flat()) {
    const own = members.filter(({ group }) => group === name);
    const takes = own.length === 0 ? 0 : worst(own.map(({ readiness }) => readiness.expectedRtoSeconds));
    if (takes === undefined) return undefined;
    const begins = Math.max(0, ...(waits[name] ?? []).map((other) => ends.get(other) ?? 0));
    ends.set(name, begins + takes);
  }
  return Math.max(...ends.values());
}

/** Unknown when any of them is, or when there is none. */
function worst(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 || known.length < values.length ? undefined : Math.max(...known);
}

function refusal(plan: string, message: string): PlanReason {
  return {
    code: 'DR_PLAN_NOT_READY',
    message,
    remedy: `Correct the plan or protect what it names, then look again with \`switchback plan members ${plan}\`.`,
  };
}
