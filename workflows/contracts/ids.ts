/** Workflow ids: stable, because the id is the lock. */
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';

export const workflowIds = {
  protectedItem: (item: ProtectedItemId) => `protected-item/${item}`,
  /** One run of a runbook: the job of that operation. */
  run: (item: ProtectedItemId, operation: OperationId) => `run/${item}/${operation}`,
  itemCheck: (requestId: string) => `item-check/${requestId}`,
  vcenterProbe: (requestId: string) => `vcenter-probe/${requestId}`,
  vcenterAdd: (operation: OperationId) => `vcenter-add/${operation}`,
  vcenterDiscovery: (vcenter: string) => `vcenter-discovery/${vcenter}`,
} as const;
