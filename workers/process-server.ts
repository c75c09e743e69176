/** Process server: discovery, vSphere calls and the bytes that leave a site. */
import { createHomeSiteActivities } from '../activities/home/create-home-site-activities.ts';
import { createCompareMoveActivities } from '../activities/replication/create-compare-move-activities.ts';
import { createMoveActivities } from '../activities/replication/create-move-activities.ts';
import { createSiteActivities } from '../activities/vsphere/create-site-activities.ts';
import { createVCenterDirectory } from '../providers/vault/vcenter-directory.ts';
import { createVSphere } from '../providers/vsphere/vsphere.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import {
  cachePolicy,
  diskTransport,
  ensureVault,
  siteEgress,
  siteGuests,
  stepActivities,
  vaultKey,
  vaultStorage,
} from './ports.ts';
import { runRoleProcess, type RoleContext } from './role.ts';
import { runWorkers } from './run-workers.ts';
import { connectWorker } from './temporal.ts';

const SITE_SLOTS = 16;
/** Machines at home that are watched while they run in Azure: each look-out holds a slot. */
const WATCH_SLOTS = 512;
/** Steps of recovery plans: a probe holds a slot while it waits. */
const STEP_SLOTS = 256;
/** Never used by replication: a failover finds them free. */
const URGENT_SLOTS = 16;

export async function processServer({ config, log, signal }: RoleContext): Promise<void> {
  const vsphere = createVSphere();
  try {
    await ensureVault(config);
    const storage = await vaultStorage(config);
    const key = await vaultKey(config);
    const vcenters = createVCenterDirectory(storage, key);
    const link = { wanted: config.failback.privateLink, host: new URL(config.storage.accountUrl).hostname };
    const site = {
      ...createSiteActivities({ vsphere, vcenters, storage }),
      ...createHomeSiteActivities({ vsphere, vcenters, storage, link }),
    };
    const ports = {
      vsphere,
      vcenters,
      storage,
      vaultKey: key,
      transport: await diskTransport(config, vsphere),
      cache: await cachePolicy(config, log),
      egress: siteEgress(config),
      scrubPercentPerDay: config.replication.scrub.percentPerDay,
    };
    const move = { ...createMoveActivities(ports), ...createCompareMoveActivities(ports) };
    const steps = await stepActivities(config, { site: siteGuests(vsphere, vcenters) });
    const connection = await connectWorker(config, log, signal);
    const queues = [
      { taskQueue: taskQueues.site(config.site), slots: SITE_SLOTS + WATCH_SLOTS, activities: site },
      {
        taskQueue: taskQueues.move(config.site),
        slots: config.replication.cycleConcurrency,
        activities: move,
      },
      { taskQueue: taskQueues.stepsSite(config.site), slots: STEP_SLOTS, activities: steps },
      {
        taskQueue: taskQueues.urgentSite(config.site),
        slots: URGENT_SLOTS,
        activities: { ...site, ...move },
      },
    ];
    await runWorkers(connection, queues, { config, log, signal });
    await connection.close();
  } finally {
    await vsphere.close();
  }
}

if (import.meta.main) await runRoleProcess('process-server', processServer);
