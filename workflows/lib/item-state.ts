/**
 * State of a protected item as it travels through continue-as-new: plain JSON with a version, no Map, no Set.
 * Everything here is a pure function of that state.
 */
import { overallHealth, type Condition } from '../../domain/health.ts';
import type { MachineId, OperationId, RunId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import {
  activeLocations,
  type ActiveLocation,
  allowedOperations,
  type ItemOperation,
  type ItemSituation,
  type ItemState,
} from '../../domain/protected-item.ts';
import type { Direction } from '../../domain/streams.ts';
import type { HomeWay } from '../contracts/home.ts';
import type { DrillView, FailoverResult, ItemView, ProtectInput } from '../contracts/types.ts';

export interface ItemRecord {
  readonly schemaVersion: 2;
  readonly protect: ProtectInput;
  readonly state: ItemState;
  readonly drill: DrillView;
  readonly conditions: readonly Condition[];
  /** Last session epoch given out. */
  readonly sessionEpoch: number;
  readonly hasRecoveryPoint: boolean;
  readonly paused: boolean;
  /** How the machine that must be off was seen last. */
  readonly homeSeen: 'on' | 'off';
  /** Times it was seen on: each may have written to the disks at home. */
  readonly homeStarts: number;
  /** Of these, how many the disks were compared after; and how many had been when the comparison that runs began. */
  readonly homeCompared: number;
  readonly homeComparing: number;
  /** Ways home so far. */
  readonly generation: number;
  readonly spec?: ItemSpec;
  readonly failover?: FailoverResult;
  readonly home?: HomeWay;
  /** Generation of a reprotect that has begun: it may have made something at home. */
  readonly unfinishedWay?: number;
  readonly protectedSince?: string;
  /** A failover that was lost may have shut the source down: what finds it off must not take that for its own wish. */
  readonly mayHaveShutDown?: true;
  /** Failover runs whose removal could not be proven; the next failover removes them first. */
  readonly unremovedRuns: readonly RunId[];
}

export const SPLIT_BRAIN = 'DR_HEALTH_SPLIT_BRAIN';
export const DIVERGED = 'DR_HEALTH_DIVERGED';
export const REPLICA_DIFFERS = 'DR_HEALTH_REPLICA_DIFFERS';
export const UNWATCHED = 'DR_HEALTH_SOURCE_UNWATCHED';

export function divergence(since: string): Condition {
  return {
    type: DIVERGED,
    category: 'critical',
    reason: 'the disks at home were written to by somebody else',
    suggestion: 'Once the machine at home is off: `switchback item resync`, then replication home goes on.',
    since,
  };
}

/** Undefined takes a field away. */
export type ItemChanges = { readonly [K in keyof ItemRecord]?: ItemRecord[K] | undefined };

export interface RunningOperation {
  readonly operation: ItemOperation | 'protect';
  readonly operationId: OperationId;
}

export function newRecord(protect: ProtectInput, sessionEpoch: number): ItemRecord {
  return {
    schemaVersion: 2,
    protect,
    state: 'enablingProtection',
    drill: { state: 'none' },
    conditions: [],
    sessionEpoch,
    hasRecoveryPoint: false,
    paused: false,
    homeSeen: 'off',
    homeStarts: 0,
    homeCompared: 0,
    homeComparing: 0,
    generation: 0,
    unremovedRuns: [],
  };
}

/** Records of older versions, as a worker of this version may find them after continue-as-new. */
export function upgraded(record: ItemRecord | ItemRecordV1): ItemRecord {
  if (record.schemaVersion === 2) return record;
  return { ...newRecord(record.protect, record.sessionEpoch), ...record, schemaVersion: 2 };
}

/** Before items could come home. */
export type ItemRecordV1 = Omit<
  ItemRecord,
  | 'schemaVersion'
  | 'paused'
  | 'homeSeen'
  | 'homeStarts'
  | 'homeCompared'
  | 'homeComparing'
  | 'generation'
  | 'home'
> & { readonly schemaVersion: 1 };

export function changed(record: ItemRecord, changes: ItemChanges): ItemRecord {
  const all = Object.entries({ ...record, ...changes }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(all) as unknown as ItemRecord;
}

export function situation(record: ItemRecord, running: RunningOperation | undefined): ItemSituation {
  return {
    state: record.state,
    drill: record.drill.state,
    hasRecoveryPoint: record.hasRecoveryPoint,
    paused: record.paused,
    diverged: isDiverged(record),
    ...(running === undefined ? {} : { running }),
  };
}

/** Somebody else wrote to the disks at home since they were landed or compared. */
export function isDiverged({ home, homeStarts, homeCompared }: ItemRecord): boolean {
  return home !== undefined && homeStarts > homeCompared;
}

/** States in which the machine at home must be off. */
const homeMustBeOff: ReadonlySet<ItemState> = new Set([
  'failedOver',
  'changingRecoveryPoint',
  'committing',
  'committed',
  'reprotecting',
  'protectedReverse',
]);

export function watchesHome({ state }: ItemRecord): boolean {
  return homeMustBeOff.has(state);
}

/** The Azure machine is stopped and must stay so until the failback is committed or cancelled. */
export function watchesAzure({ state }: ItemRecord): boolean {
  return state === 'failedBack';
}

/** The machine where it was protected, and the one it comes home to: none of them may run while it runs in Azure. */
export function homeMachines({ spec, home }: ItemRecord): MachineId[] {
  return [...new Set([spec?.machineId, home?.home.machineId].filter((id) => id !== undefined))];
}

/** Which way the item should replicate now; null: not at all. */
export function wantedDirection(record: ItemRecord): Direction | null {
  const { state, paused, homeSeen } = record;
  if (paused) return null;
  if (state === 'protected') return 'forward';
  const mayWriteHome = state === 'protectedReverse' && !isDiverged(record) && homeSeen === 'off';
  return mayWriteHome && record.home !== undefined ? 'reverse' : null;
}

/** Protection may end on either side: a machine that failed over stays there. */
function activeLocation({ state, failover }: ItemRecord): ActiveLocation {
  const isEnding = state === 'disabling' || state === 'disabled';
  return isEnding && failover !== undefined ? 'azure' : activeLocations[state];
}

export function itemView(
  record: ItemRecord,
  running: RunningOperation | undefined,
  revision: number,
): ItemView {
  const { protect } = record;
  return {
    itemId: protect.itemId,
    machineName: record.spec?.machineName ?? protect.machineName,
    vcenterId: protect.vcenterId,
    state: record.state,
    activeLocation: activeLocation(record),
    direction: record.home === undefined ? 'forward' : 'reverse',
    paused: record.paused,
    health: overallHealth(record.conditions),
    conditions: record.conditions,
    drill: record.drill,
    allowedOperations: allowedOperations(situation(record, running)),
    policyId: (record.spec ?? protect).policy.id,
    revision,
    ...(record.spec === undefined ? {} : { spec: record.spec }),
    ...(record.failover === undefined ? {} : { failover: record.failover }),
    ...(record.home === undefined ? {} : { home: record.home }),
    ...(running === undefined ? {} : { running }),
    ...(record.protectedSince === undefined ? {} : { protectedSince: record.protectedSince }),
  };
}
