/** An administrator's hand on the disks of a practice machine. */
import { requests } from '../../../providers/vsphere/requests.ts';
import { runTask } from '../../../providers/vsphere/task.ts';
import { mor, typed } from '../../../providers/vsphere/values.ts';
import type { Machine, ReplicationRig } from './replication-rig.ts';

/** Changes the machine's disk as an administrator would. */
export async function reconfigureDisk(rig: ReplicationRig, machine: Machine, change: object): Promise<void> {
  const { moRef } = await rig.session.getMachine(machine.item.machineId);
  const request = requests.enableChangeTracking(mor('VirtualMachine', moRef));
  const args = { ...request.args, spec: { deviceChange: [change] } };
  await runTask(rig.vsphere.vimSession(rig.practice.connection), { ...request, args }, () => undefined);
}

export async function virtualDisk(rig: ReplicationRig, machine: Machine, capacityBytes: number) {
  const { disks } = await rig.session.getMachine(machine.item.machineId);
  const [live] = disks;
  return typed('VirtualDisk', {
    key: live?.deviceKey,
    backing: typed('VirtualDiskFlatVer2BackingInfo', { fileName: live?.fileName, diskMode: 'persistent' }),
    capacityInKB: capacityBytes / 1024,
    capacityInBytes: capacityBytes,
  });
}
