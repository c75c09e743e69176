/** Registered workflow types: the exports of this file and nothing else. */
import './lib/short-stacks.ts';

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
export { drillExpiry } from './drill-expiry.ts';
export { planRun } from './plan-run.ts';
export { priceLook } from './price-look.ts';
export { protectedItem } from './protected-item.ts';
export { regionLook } from './region-look.ts';
export { reEnable } from './re-enable.ts';
export { reprotect } from './reprotect.ts';
export { resync } from './resync.ts';
export { rollback } from './rollback.ts';
export { scheduledDrill } from './scheduled-drill.ts';
export { updateSettings } from './update-settings.ts';
export { verify } from './verify.ts';
export { vcenterAdd, vcenterDiscovery, vcenterProbe } from './vcenter.ts';
