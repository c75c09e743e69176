/**
 * State of a protected item as it travels through continue-as-new: plain JSON with a version, no Map, no Set.
 * Everything here is a pure function of that state.
 */
import { overallHealth, type Condition } from '../../domain/health.ts';
import type { OperationId, RunId } from '../../domain/ids.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import {
  allowedOperations,
  type ActiveLocation,
  type ItemOperation,
  type ItemSituation,
  type ItemState,
} from '../../domain/protected-item.ts';
import type { DrillView, FailoverResult, ItemView, ProtectInput } from '../contracts/types.ts';

export interface ItemRecord {
  readonly schemaVersion: 1;
  readonly protect: ProtectInput;
  readonly state: ItemState;
  readonly drill: DrillView;
  readonly conditions: readonly Condition[];
  /** Last session epoch given out. */
  readonly sessionEpoch: number;
  readonly hasRecoveryPoint: boolean;
  readonly spec?: ItemSpec;
  readonly failover?: FailoverResult;
  readonly protectedSince?: string;
  /** Failover runs whose removal could not be proven; the next failover removes them first. */
  readonly unremovedRuns: readonly RunId[];
}

export interface RunningOperation {
  readonly operation: ItemOperation | 'protect';
  readonly operationId: OperationId;
}

export function newRecord(protect: ProtectInput, sessionEpoch: number): ItemRecord {
  return {
    schemaVersion: 1,
    protect,
    state: 'enablingProtection',
    drill: { state: 'none' },
    conditions: [],
    sessionEpoch,
    hasRecoveryPoint: false,
    unremovedRuns: [],
  };
}

export function situation(record: ItemRecord, running: RunningOperation | undefined): ItemSituation {
  return {
    state: record.state,
    drill: record.drill.state,
    hasRecoveryPoint: record.hasRecoveryPoint,
    ...(running === undefined ? {} : { running }),
  };
}

const AZURE_STATES: readonly ItemState[] = ['failedOver', 'committing', 'committed'];

export function activeLocation(record: ItemRecord): ActiveLocation {
  return AZURE_STATES.includes(record.state) ? 'azure' : 'onPremises';
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
    health: overallHealth(record.conditions),
    conditions: record.conditions,
    drill: record.drill,
    allowedOperations: allowedOperations(situation(record, running)),
    policyId: protect.policy.id,
    revision,
    ...(record.spec === undefined ? {} : { spec: record.spec }),
    ...(record.failover === undefined ? {} : { failover: record.failover }),
    ...(running === undefined ? {} : { running }),
    ...(record.protectedSince === undefined ? {} : { protectedSince: record.protectedSince }),
  };
}
