/**
 * State of a protected item as it travels through continue-as-new: plain JSON with a version, no Map, no Set.
 * Everything here is a pure function of that state.
 */
import { overallHealth, type Condition } from '../../domain/health.ts';
import type { OperationId, RunId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import {
  activeLocations,
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
  /** Somebody else wrote to the disks at home since they were landed. */
  readonly diverged: boolean;
  /** How the machine that must be off was seen last. */
  readonly homeSeen: 'on' | 'off';
  /** Ways home so far. */
  readonly generation: number;
  readonly spec?: ItemSpec;
  readonly failover?: FailoverResult;
  readonly home?: HomeWay;
  readonly protectedSince?: string;
  /** Failover runs whose removal could not be proven; the next failover removes them first. */
  readonly unremovedRuns: readonly RunId[];
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
    diverged: false,
    homeSeen: 'off',
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
  'schemaVersion' | 'paused' | 'diverged' | 'homeSeen' | 'generation' | 'home'
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
    diverged: record.diverged,
    ...(running === undefined ? {} : { running }),
  };
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

/** Which way the item should replicate now; null: not at all. */
export function wantedDirection(record: ItemRecord): Direction | null {
  const { state, paused, diverged, homeSeen } = record;
  if (paused) return null;
  if (state === 'protected') return 'forward';
  const mayWriteHome = state === 'protectedReverse' && !diverged && homeSeen === 'off';
  return mayWriteHome && record.home !== undefined ? 'reverse' : null;
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
    activeLocation: activeLocations[record.state],
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
