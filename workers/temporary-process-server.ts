/** Process server that runs in Azure while machines come home: it reads Azure disks and has no access to a vCenter. */
import { createReverseActivities } from '../activities/home/create-reverse-activities.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import { cachePolicy, cloud, ensureVault, vaultKey, vaultStorage } from './ports.ts';
import type { RoleContext } from './role.ts';
import { runWorkers } from './run-workers.ts';
import { connectWorker } from './temporal.ts';

/** Preflight is answered although all cycles are taken. */
const ANSWER_SLOTS = 4;

export async function temporaryProcessServer({ config, log, signal }: RoleContext): Promise<void> {
  await ensureVault(config);
  const reverse = createReverseActivities({
    cloud: await cloud(config),
    storage: await vaultStorage(config),
    vaultKey: await vaultKey(config),
    cache: await cachePolicy(config, log),
  });
  const connection = await connectWorker(config, log, signal);
  const queue = {
    taskQueue: taskQueues.reverse(config.azure.location),
    slots: config.replication.cycleConcurrency + ANSWER_SLOTS,
    activities: reverse,
  };
  await runWorkers(connection, [queue], { config, log, signal });
  await connection.close();
}
