/**
 * What the server asks of the runbooks. Commands are booked at once and refused with the reason; the work goes on
 * elsewhere. Every call is bounded, and answers DR_TEMPORAL_UNREACHABLE when nobody did in time.
 */
import type { ScrubTotalsView } from '../api/replication.ts';
import type { OperationId, ProtectedItemId, VCenterId } from '../domain/ids.ts';
import type { Job } from '../domain/job.ts';
import type { RegionLook } from '../domain/plan/clashes.ts';
import type { MachinePrice, PeerCertificate } from '../domain/ports.ts';
import type { ReplicationProgress, ReplicationTotals } from '../domain/replication.ts';
import type {
  AddVCenterInput,
  DecisionInput,
  DiscoveryResult,
  ItemCheckInput,
  ItemCheckResult,
  ItemView,
  OperationAccepted,
  OperationRequest,
  ProtectInput,
} from '../workflows/contracts/types.ts';
import type { PriceMachinesInput, RegionLookInput } from '../workflows/contracts/plan-look.ts';
import type { PlanRunbooks } from './temporal-plans.ts';
import type { DrillSchedules } from './temporal-schedules.ts';

/** A replication activity as Temporal last heard of it. */
export interface ActivityProgress {
  readonly activity: string;
  readonly attempt: number;
  readonly progress?: ReplicationProgress;
  readonly totals?: ReplicationTotals;
  readonly scrub?: ScrubTotalsView;
  readonly applyLagBytes?: number;
  readonly applyLagSeconds?: number;
}

export interface Runbooks extends PlanRunbooks, DrillSchedules {
  /** @throws DR_MACHINE_ALREADY_PROTECTED */
  protect(input: ProtectInput): Promise<OperationAccepted>;
  /** @throws DR_ITEM_UNKNOWN, and what the item's state table refuses with. */
  operate(item: ProtectedItemId, request: OperationRequest): Promise<OperationAccepted>;
  /** @throws DR_JOB_OVER, DR_DECISION_REFUSED */
  decide(item: ProtectedItemId, job: OperationId, decision: DecisionInput): Promise<OperationAccepted>;
  /** @throws DR_ITEM_UNKNOWN */
  describeItem(item: ProtectedItemId): Promise<ItemView>;
  /** The job as its run knows it. @throws DR_JOB_UNKNOWN when no run has that id. */
  describeJob(item: ProtectedItemId, job: OperationId): Promise<Job>;
  /** Of the item itself, or of the run of that job; empty when nothing is running. @throws DR_ITEM_UNKNOWN, DR_JOB_UNKNOWN */
  progress(item: ProtectedItemId, job?: OperationId): Promise<readonly ActivityProgress[]>;
  /** Changes nothing. */
  check(input: ItemCheckInput): Promise<ItemCheckResult>;
  /** Sizes, quota and subnets of a region; changes nothing. @throws DR_AZURE_UNREACHABLE */
  lookAtRegion(input: RegionLookInput): Promise<RegionLook>;
  /** Of those that Azure's price list has. @throws DR_AZURE_PRICES_UNREADABLE */
  priceMachines(input: PriceMachinesInput): Promise<readonly MachinePrice[]>;
  /** @throws DR_VCENTER_UNREACHABLE */
  probeVCenter(site: string, url: string): Promise<PeerCertificate>;
  /** A job that ends with the first discovery. @throws DR_VCENTER_CERTIFICATE_CHANGED, DR_VCENTER_UNREACHABLE, … */
  addVCenter(input: AddVCenterInput): Promise<DiscoveryResult>;
  /** Joins a discovery that is running already. @throws DR_VCENTER_UNREACHABLE, DR_VCENTER_CREDENTIALS, … */
  discover(site: string, vcenterId: VCenterId): Promise<DiscoveryResult>;
}
