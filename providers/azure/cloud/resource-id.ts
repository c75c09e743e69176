/** Azure resource ids. They are compared without case: Azure itself changes the case between calls. */

/** `/subscriptions/<s>/resourceGroups/<group>/providers/<type>/<name>`. */
export function resourceIdOf(subscriptionId: string, group: string, type: string, name: string): string {
  return `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/${type}/${name}`;
}

export function groupIdOf(subscriptionId: string, group: string): string {
  return `/subscriptions/${subscriptionId}/resourceGroups/${group}`;
}

const RESOURCE = /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/([^/]+\/[^/]+)\/([^/]+)$/i;
const GROUP = /^\/subscriptions\/[^/]+\/resourceGroups\/([^/]+)$/i;
const SUBNET =
  /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.Network\/virtualNetworks\/([^/]+)\/subnets\/([^/]+)$/i;

export function parseResourceId(id: string): { readonly group: string; readonly name: string } {
  const [, , group, , name] = RESOURCE.exec(id) ?? [];
  if (group === undefined || name === undefined) throw new Error(`not a resource id: ${id}`);
  return { group, name };
}

/** Undefined: not the id of a resource in a group. */
export function subscriptionOf(id: string): string | undefined {
  return RESOURCE.exec(id)?.[1];
}

/** `Microsoft.Compute/disks`; undefined: not the id of a resource in a group. */
export function typeOf(id: string): string | undefined {
  return RESOURCE.exec(id)?.[3];
}

export function parseGroupId(id: string): string {
  const [, group] = GROUP.exec(id) ?? [];
  if (group === undefined) throw new Error(`not the id of a resource group: ${id}`);
  return group;
}

export interface SubnetPath {
  readonly subscriptionId: string;
  readonly group: string;
  readonly network: string;
  readonly subnet: string;
  readonly networkId: string;
}

export function parseSubnetId(id: string): SubnetPath | null {
  const [, subscriptionId, group, network, subnet] = SUBNET.exec(id) ?? [];
  if (!subscriptionId || !group || !network || !subnet) return null;
  return { subscriptionId, group, network, subnet, networkId: id.replace(/\/subnets\/[^/]+$/i, '') };
}

export function isSameId(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a.toLowerCase() === b.toLowerCase();
}

/** Last segment of an id, for display. */
export function nameOf(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1);
}
