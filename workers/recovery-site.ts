/** Recovery-site worker: applies segments to replicas, makes recovery points, provisions Azure. */
import { createAzureActivities } from '../activities/azure/create-azure-activities.ts';
import { createPriceActivities } from '../activities/azure/create-price-activities.ts';
import { createHomeAzureActivities } from '../activities/home/create-home-azure-activities.ts';
import { createApplyActivities } from '../activities/replication/create-apply-activities.ts';
import { createCompareActivities } from '../activities/replication/create-compare-activities.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import {
  bootLogActivities,
  cloud,
  ensureVault,
  priceList,
  stepActivities,
  vaultKey,
  vaultStorage,
} from './ports.ts';
import { runRoleProcess, type RoleContext } from './role.ts';
import { runWorkers } from './run-workers.ts';
import { connectWorker } from './temporal.ts';

const AZURE_SLOTS = 32;
/** Steps of recovery plans: a probe holds a slot while it waits. */
const STEP_SLOTS = 256;
/** Never used by replication: a failover finds them free. */
const URGENT_SLOTS = 64;

export async function recoverySite({ config, log, signal }: RoleContext): Promise<void> {
  await ensureVault(config);
  const storage = await vaultStorage(config);
  const key = await vaultKey(config);
  const apply = createApplyActivities({ storage, vaultKey: key });
  const azure = await cloud(config);
  const all = {
    ...createAzureActivities({ cloud: azure, storage, vaultKey: key }),
    ...createHomeAzureActivities({ cloud: azure, storage }),
    ...createCompareActivities({ storage, vaultKey: key }),
    ...createPriceActivities({ prices: await priceList(config) }),
    ...apply,
  };
  const steps = {
    ...(await stepActivities(config, { inAzure: true })),
    ...(await bootLogActivities(config, storage)),
  };
  const connection = await connectWorker(config, log, signal);
  const region = config.azure.location;
  const queues = [
    { taskQueue: taskQueues.apply(region), slots: config.replication.cycleConcurrency, activities: apply },
    { taskQueue: taskQueues.azure(region), slots: AZURE_SLOTS, activities: all },
    { taskQueue: taskQueues.stepsAzure(region), slots: STEP_SLOTS, activities: steps },
    { taskQueue: taskQueues.urgentAzure(region), slots: URGENT_SLOTS, activities: all },
  ];
  await runWorkers(connection, queues, { config, log, signal });
  await connection.close();
}

if (import.meta.main) await runRoleProcess('recovery-site', recoverySite);
