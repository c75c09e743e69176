/**
 * Whether an item could make its next move now, in about how long, losing about how much; and why not. The next move
 * is a failover while the machine runs on premises, a failback while it runs in Azure. Nothing is guessed: what no run
 * and no recovery point has shown is absent.
 */
import { errorMessage, errorRemedy, type ErrorCode, type ErrorContext } from './errors.ts';
import type { Condition } from './health.ts';
import type { ItemOperation } from './item-operations.ts';
import { stateReasons, type ActiveLocation, type DrillState, type ItemState } from './item-states.ts';
import type { AllowedOperation } from './protected-item.ts';

export interface Reason {
  /** Stable: of the error catalogue, the type of a health condition, `DR_DRILL_LEFT` or `DR_PLAN_NOT_VERIFIED`. */
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  /** ISO 8601 UTC; absent: not known. */
  readonly since?: string;
}

export interface Readiness {
  readonly ready: boolean;
  /** Absent: not known. */
  readonly expectedRtoSeconds?: number;
  /** Absent: not known. */
  readonly expectedRpoSeconds?: number;
  /** Why not, the oldest first; empty: ready. */
  readonly reasons: readonly Reason[];
}

/** What readiness depends on of an item, as the item itself says it. */
export interface ItemFacts {
  readonly machineName: string;
  readonly state: ItemState;
  readonly activeLocation: ActiveLocation;
  readonly conditions: readonly Condition[];
  readonly drill: { readonly state: DrillState };
  readonly allowedOperations: readonly AllowedOperation[];
  readonly spec?: { readonly policy: { readonly rpoThresholdSeconds: number } };
}

/** What the storage account and earlier runs say of it. */
export interface ItemEvidence {
  /** ISO 8601 UTC. */
  readonly now: string;
  /** Source time of the newest recovery point in Azure; absent: there is none. */
  readonly newestPointTime?: string;
  /** Recovery points cannot be read now. */
  readonly pointsProblem?: Omit<Reason, 'since'>;
  /** Of the last runs that ended well, of those `rtoKinds` names for the next move. */
  readonly rtoSeconds: readonly number[];
}

export type NextMove = 'failover' | 'failback';

/** Runs that tell how long a move takes. */
export const rtoKinds = {
  failover: ['testFailover', 'failover'],
  failback: ['failback'],
} as const satisfies Readonly<Record<NextMove, readonly ItemOperation[]>>;

export function nextMove({ activeLocation }: Pick<ItemFacts, 'activeLocation'>): NextMove {
  return activeLocation === 'azure' ? 'failback' : 'failover';
}

export function readinessOfItem(item: ItemFacts, evidence: ItemEvidence): Readiness {
  const move = nextMove(item);
  const rpoSeconds = move === 'failover' ? pointAge(evidence) : undefined;
  const rtoSeconds = median(evidence.rtoSeconds);
  const reasons = oldestFirst([
    ...refused(item, move),
    ...sick(item),
    ...leftByDrill(item),
    ...(move === 'failover' ? withoutPoint(item, evidence) : []),
    ...tooOld(item, evidence, rpoSeconds),
  ]);
  return {
    ready: reasons.length === 0,
    ...(rtoSeconds === undefined ? {} : { expectedRtoSeconds: rtoSeconds }),
    ...(rpoSeconds === undefined ? {} : { expectedRpoSeconds: rpoSeconds }),
    reasons,
  };
}

/** By when they began; those of which that is not known come last, as they were told. */
export function oldestFirst<R extends Reason>(reasons: readonly R[]): R[] {
  return reasons.toSorted((a, b) => startOf(a) - startOf(b));
}

function startOf({ since }: Reason): number {
  return since === undefined ? Number.MAX_VALUE : Date.parse(since);
}

function refused({ allowedOperations, machineName, state }: ItemFacts, move: NextMove): Reason[] {
  const known = allowedOperations.find(({ operation }) => operation === move);
  if (known?.allowed === true) return [];
  const reason = known?.reason ?? stateReasons[state];
  const told = caught('DR_OPERATION_REFUSED', { operation: move, item: machineName, reason });
  return [{ ...told, remedy: remedies[state]?.(machineName) ?? told.remedy }];
}

/** Where one command leads on. */
const remedies: Readonly<Partial<Record<ItemState, (machine: string) => string>>> = {
  initialReplicating: (machine) =>
    `Wait for the first copy; \`switchback item show ${machine}\` tells how far.`,
  failedOver: (machine) => `Commit it with \`switchback item commit ${machine}\`, or roll it back.`,
  committed: (machine) => `Replicate it home with \`switchback item reprotect ${machine}\`.`,
  failedBack: (machine) => `Commit it with \`switchback item commit ${machine}\`, or cancel the failback.`,
  failedBackCommitted: (machine) => `Protect it again with \`switchback item re-enable ${machine}\`.`,
};

const RPO_EXCEEDED = 'DR_HEALTH_RPO_EXCEEDED';

/** A warning says that something is odd; only that of the promised RPO says that a move would break its promise. */
function sick({ conditions }: ItemFacts): Reason[] {
  return conditions
    .filter(({ category, type }) => category === 'critical' || type === RPO_EXCEEDED)
    .map(({ type: code, reason: message, suggestion: remedy, since }) => ({ code, message, remedy, since }));
}

const drillTrouble: Readonly<Partial<Record<DrillState, string>>> = {
  failed: 'the last drill failed and was not cleaned up',
  cleanupFailed: 'the cleanup of the last drill failed',
};

function leftByDrill({ drill, machineName }: ItemFacts): Reason[] {
  const message = drillTrouble[drill.state];
  if (message === undefined) return [];
  return [
    { code: 'DR_DRILL_LEFT', message, remedy: `Clean up with \`switchback item cleanup ${machineName}\`.` },
  ];
}

function withoutPoint({ machineName }: ItemFacts, evidence: ItemEvidence): Reason[] {
  if (evidence.pointsProblem !== undefined) return [evidence.pointsProblem];
  if (evidence.newestPointTime !== undefined) return [];
  return [caught('DR_POINT_NONE', { item: machineName, choice: 'latest' })];
}

/** Health says it for changes that are durable; this, for the points that are made of them. */
function tooOld({ conditions, spec }: ItemFacts, evidence: ItemEvidence, rpoSeconds?: number): Reason[] {
  const thresholdSeconds = spec?.policy.rpoThresholdSeconds;
  const { newestPointTime } = evidence;
  if (thresholdSeconds === undefined || rpoSeconds === undefined || newestPointTime === undefined) return [];
  if (rpoSeconds <= thresholdSeconds || conditions.some(({ type }) => type === RPO_EXCEEDED)) return [];
  return [
    {
      code: RPO_EXCEEDED,
      message: `the newest recovery point is of ${newestPointTime}; the threshold is ${thresholdSeconds} s`,
      remedy: 'Check that replication runs, and that the recovery-site worker applies what arrives.',
      since: new Date(Date.parse(newestPointTime) + thresholdSeconds * 1_000).toISOString(),
    },
  ];
}

/** The source's clock may be ahead of ours. */
function pointAge({ now, newestPointTime }: ItemEvidence): number | undefined {
  if (newestPointTime === undefined) return undefined;
  return Math.max(0, Date.parse(now) - Date.parse(newestPointTime)) / 1_000;
}

function caught(code: ErrorCode, context: ErrorContext): Reason {
  return { code, message: errorMessage(code, context), remedy: errorRemedy(code, context) };
}

/** Of an even number, the mean of the two in the middle. */
function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
