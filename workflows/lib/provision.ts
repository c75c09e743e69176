/** Makes the Azure machine of a recovery point: disks, network interface, virtual machine. */
import { CancellationScope } from '@temporalio/workflow';
import { azureNames } from '../../domain/names.ts';
import type { PointDisk, RecoveryPoint } from '../../domain/replication.ts';
import type { FailoverRun } from '../contracts/runs.ts';
import type { TaskLog } from './job-log.ts';
import { azure } from './proxies.ts';
import { scopeOf } from './remove-run.ts';

/** Azure of the run's region; a real failover has slots of its own. */
export const azureOf = (run: FailoverRun) => azure(run.item.target.location, run.mode === 'real');

const scope = (run: FailoverRun) => scopeOf(run.item, run.runId, run.mode);

/** Ids in disk order. All at once; when one fails the others are stopped and waited for: nothing may appear after the undo has listed. */
export async function makeDisks(run: FailoverRun, point: RecoveryPoint, tasks: TaskLog): Promise<string[]> {
  const together = new CancellationScope();
  // A disk that is not protected any more may still be in an older point.
  const inOrder = point.disks
    .filter((disk) => diskIndex(run, disk) >= 0)
    .toSorted((a, b) => diskIndex(run, a) - diskIndex(run, b));
  const making = inOrder.map((disk) => {
    const index = diskIndex(run, disk);
    return together.run(() =>
      tasks.task(`disk-${index}`, `Make disk ${index}`, () => makeDisk(run, point, disk), lastSegment),
    );
  });
  try {
    const diskIds = await Promise.all(making);
    await azureOf(run).releasePoint({ runId: run.runId, point });
    return diskIds;
  } catch (error) {
    together.cancel();
    await Promise.allSettled(making);
    throw error;
  }
}

/** Copy the point's snapshot to a page blob, import that as a managed disk. */
async function makeDisk(run: FailoverRun, point: RecoveryPoint, disk: PointDisk): Promise<string> {
  const { diskType, zone, tags } = run.item.target;
  const index = diskIndex(run, disk);
  const activities = azureOf(run);
  const staged = await activities.beginStageDisk({ runId: run.runId, point, disk });
  const { url } = await activities.awaitStageDisk(staged);
  const begun = await activities.beginDiskImport({
    scope: scope(run),
    disk: {
      name: azureNames.disk(run.item.machineName, index),
      sourceUrl: url,
      isOsDisk: index === 0,
      osType: osType(run),
      generation: run.item.firmware === 'efi' ? 'V2' : 'V1',
      ...(diskType === undefined ? {} : { diskType }),
      ...(zone === undefined ? {} : { zone }),
      ...(tags === undefined ? {} : { tags }),
    },
  });
  return (await activities.awaitDisk({ begun })).resourceId;
}

export async function makeNic(run: FailoverRun) {
  const { privateIpAddress } = run;
  const activities = azureOf(run);
  const begun = await activities.beginNic({
    scope: scope(run),
    nic: {
      name: azureNames.nic(run.item.machineName),
      subnetId: run.subnetId,
      ...(privateIpAddress === undefined ? {} : { privateIpAddress }),
    },
  });
  return activities.awaitNic({ begun });
}

/** `fence`: the number this run holds the right to run with; a drill needs none. */
export async function makeVm(
  run: FailoverRun,
  made: { readonly diskIds: readonly string[]; readonly nicId: string; readonly fence?: number },
) {
  const { vmSize, zone, availabilitySetId, tags } = run.item.target;
  const { fence, diskIds, nicId } = made;
  const activities = azureOf(run);
  const begun = await activities.beginVm({
    scope: scope(run),
    ...(fence === undefined ? {} : { fence: { item: run.item, number: fence } }),
    vm: {
      name: azureNames.vm(run.item.machineName, run.mode),
      size: vmSize,
      osType: osType(run),
      diskIds,
      nicId,
      ...(zone === undefined ? {} : { zone }),
      ...(availabilitySetId === undefined ? {} : { availabilitySetId }),
      ...(tags === undefined ? {} : { tags }),
    },
  });
  return activities.awaitVmRunning({ begun });
}

export function lastSegment(resourceId: string): string {
  return resourceId.slice(resourceId.lastIndexOf('/') + 1);
}

function diskIndex(run: FailoverRun, disk: PointDisk): number {
  return run.item.disks.findIndex((each) => each.diskId === disk.diskId);
}

function osType(run: FailoverRun): 'Linux' | 'Windows' {
  return run.item.guestFamily === 'windows' ? 'Windows' : 'Linux';
}
