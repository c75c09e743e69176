/** Registered workflow types: the exports of this file and nothing else. */
export { cleanup } from './cleanup.ts';
export { failover } from './failover.ts';
export { protectedItem } from './protected-item.ts';
export { vcenterDiscovery, vcenterProbe } from './vcenter.ts';
