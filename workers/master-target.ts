/** Master target: writes what comes home into VMware disks. */
import { createLandActivities } from '../activities/home/create-land-activities.ts';
import { DISK_SLOTS } from '../activities/home/disk-slots.ts';
import { createVCenterDirectory } from '../providers/vault/vcenter-directory.ts';
import { createVSphere } from '../providers/vsphere/vsphere.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import { cacheFolder, diskTransport, ensureVault, vaultKey, vaultStorage } from './ports.ts';
import { runRoleProcess, type RoleContext } from './role.ts';
import { runWorkers } from './run-workers.ts';
import { connectWorker } from './temporal.ts';

/** Answers are given although all disk slots are taken: machines that wait for one hold a slot of the queue. */
const ANSWER_SLOTS = 4;

export async function masterTarget({ config, log, signal }: RoleContext): Promise<void> {
  const vsphere = createVSphere();
  try {
    await ensureVault(config);
    const storage = await vaultStorage(config);
    const key = await vaultKey(config);
    const land = createLandActivities({
      vsphere,
      vcenters: createVCenterDirectory(storage, key),
      transport: await diskTransport(config, vsphere),
      storage,
      vaultKey: key,
      cacheFolder: await cacheFolder(config),
    });
    const connection = await connectWorker(config, log, signal);
    const queue = {
      taskQueue: taskQueues.land(config.site),
      slots: DISK_SLOTS + ANSWER_SLOTS,
      activities: land,
    };
    await runWorkers(connection, [queue], { config, log, signal });
    await connection.close();
  } finally {
    await vsphere.close();
  }
}

if (import.meta.main) await runRoleProcess('master-target', masterTarget);
