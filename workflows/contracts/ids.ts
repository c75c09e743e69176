/** Workflow ids: stable, because the id is the lock. */
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';

export const workflowIds = {
  protectedItem: (item: ProtectedItemId) => `protected-item/${item}`,
  failover: (item: ProtectedItemId, run: OperationId) => `failover/${item}/${run}`,
  cleanup: (item: ProtectedItemId, operation: OperationId) => `cleanup/${item}/${operation}`,
  vcenterProbe: (requestId: string) => `vcenter-probe/${requestId}`,
  vcenterDiscovery: (vcenter: string) => `vcenter-discovery/${vcenter}`,
} as const;
