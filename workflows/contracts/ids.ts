/** Workflow ids: stable, because the id is the lock. */
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';

export const workflowIds = {
  protectedItem: (item: ProtectedItemId) => `protected-item/${item}`,
  /** One run of a runbook: the job of that operation. */
  run: (item: ProtectedItemId, operation: OperationId) => `run/${item}/${operation}`,
  /** One run of a plan at a time: the name is the lock. */
  planRun: (plan: string) => `plan-run/${plan}`,
  /** Cleans up after a drill that nobody came back to. */
  drillExpiry: (run: OperationId) => `drill-expiry/${run}`,
  drillSchedule: (plan: string) => `drill-schedule/${plan}`,
  /** Temporal appends the time at which it began. */
  scheduledDrill: (plan: string) => `scheduled-drill/${plan}`,
  itemCheck: (requestId: string) => `item-check/${requestId}`,
  regionLook: (requestId: string) => `region-look/${requestId}`,
  priceLook: (requestId: string) => `price-look/${requestId}`,
  vcenterProbe: (requestId: string) => `vcenter-probe/${requestId}`,
  vcenterAdd: (operation: OperationId) => `vcenter-add/${operation}`,
  vcenterDiscovery: (vcenter: string) => `vcenter-discovery/${vcenter}`,
} as const;
