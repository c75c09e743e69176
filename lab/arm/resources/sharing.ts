import { ArmError } from '../http.ts';
import type { DiskFacts, Resource } from '../model.ts';

export function hasAccess({ access }: DiskFacts): boolean {
  return access !== null && access.expiresAt > Date.now();
}

/** Azure neither deletes nor starts what somebody may still read. @throws 409 */
export function refuseWhileShared(resource: Resource | undefined): void {
  const isOne =
    resource?.type === 'Microsoft.Compute/disks' || resource?.type === 'Microsoft.Compute/snapshots';
  if (!isOne || !hasAccess(resource.facts)) return;
  const kind = resource.type === 'Microsoft.Compute/disks' ? 'disk' : 'snapshot';
  throw new ArmError(
    409,
    'OperationNotAllowed',
    `There is an active shared access signature outstanding for ${kind} ${resource.name}. Call EndGetAccess on the ${kind} before attempting this operation.`,
  );
}
