/**
 * What the server asks of the runbooks. Commands are booked at once and refused with the reason; the work goes on
 * elsewhere. Every call is bounded, and answers DR_TEMPORAL_UNREACHABLE when nobody did in time.
 */
import type { ProtectedItemId, VCenterId } from '../domain/ids.ts';
import type { PeerCertificate } from '../domain/ports.ts';
import type { ReplicationProgress, ReplicationTotals } from '../domain/replication.ts';
import type {
  CleanupInput,
  CommitInput,
  DisableInput,
  DiscoveryResult,
  FailoverInput,
  ItemView,
  OperationAccepted,
  ProtectInput,
  TestFailoverInput,
} from '../workflows/contracts/types.ts';

/** A replication activity as Temporal last heard of it. */
export interface ActivityProgress {
  readonly activity: string;
  readonly attempt: number;
  readonly progress?: ReplicationProgress;
  readonly totals?: ReplicationTotals;
}

export interface Runbooks {
  /** @throws DR_MACHINE_ALREADY_PROTECTED */
  protect(input: ProtectInput): Promise<OperationAccepted>;
  /** The five below: @throws DR_ITEM_UNKNOWN, and what the item's state table refuses with. */
  testFailover(item: ProtectedItemId, input: TestFailoverInput): Promise<OperationAccepted>;
  cleanupTestFailover(item: ProtectedItemId, input: CleanupInput): Promise<OperationAccepted>;
  failover(item: ProtectedItemId, input: FailoverInput): Promise<OperationAccepted>;
  commit(item: ProtectedItemId, input: CommitInput): Promise<OperationAccepted>;
  disable(item: ProtectedItemId, input: DisableInput): Promise<OperationAccepted>;
  /** @throws DR_ITEM_UNKNOWN */
  describeItem(item: ProtectedItemId): Promise<ItemView>;
  /** Empty when nothing is running. */
  progress(item: ProtectedItemId): Promise<readonly ActivityProgress[]>;
  /** @throws DR_VCENTER_UNREACHABLE */
  probeVCenter(site: string, url: string): Promise<PeerCertificate>;
  /** Joins a discovery that is running already. @throws DR_VCENTER_UNREACHABLE, DR_VCENTER_CREDENTIALS, … */
  discover(site: string, vcenterId: VCenterId): Promise<DiscoveryResult>;
}
