/** Registered workflow types: the exports of this file and nothing else. */
export { addDisks, excludeDisks } from './change-disks.ts';
export { cancelFailback } from './cancel-failback.ts';
export { cleanup } from './cleanup.ts';
export { commit } from './commit.ts';
export { commitFailback } from './commit-failback.ts';
export { completeMigration } from './complete-migration.ts';
export { disable } from './disable.ts';
export { failback } from './failback.ts';
export { failover } from './failover.ts';
export { itemCheck } from './item-check.ts';
export { pause, resume } from './pause.ts';
export { protectedItem } from './protected-item.ts';
export { reEnable } from './re-enable.ts';
export { reprotect } from './reprotect.ts';
export { resync } from './resync.ts';
export { rollback } from './rollback.ts';
export { updateSettings } from './update-settings.ts';
export { vcenterAdd, vcenterDiscovery, vcenterProbe } from './vcenter.ts';
