/**
 * Provisioning of a run in Azure. Long operations are two activities: *begin* returns a resumable poller as soon
 * as Azure has accepted, *await* picks it up on any worker. Polled from `azure.<region>` and `urgent.azure.<region>`.
 */
import { DrError } from '../../domain/errors.ts';
import type { RunId } from '../../domain/ids.ts';
import type { JobError } from '../../domain/job.ts';
import type { RegionLook } from '../../domain/plan/clashes.ts';
import type {
  AzureDisk,
  AzureVm,
  BegunOperation,
  Cloud,
  RunScope,
  VaultKey,
  VaultStorage,
} from '../../domain/ports.ts';
import { blobNames } from '../../domain/names.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { PointDisk, RecoveryPoint } from '../../domain/replication.ts';
import { requireFence } from '../../dataplane/fence.ts';
import { pinPoint, unpinPoint, unpinRun } from '../../dataplane/pins.ts';
import type { RegionLookInput } from '../../workflows/contracts/plan-look.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';
import { toJobError } from '../failure.ts';
import { supervised } from '../supervise.ts';
import { preflightProblems } from './preflight.ts';
import { lookAtRegion } from './region-look.ts';

export interface AzurePorts {
  readonly cloud: Cloud;
  readonly storage: VaultStorage;
  readonly vaultKey: VaultKey;
}

export type AzureActivities = ReturnType<typeof createAzureActivities>;

export function createAzureActivities(ports: AzurePorts) {
  const { cloud, storage } = ports;
  const leftOf = async (runId: RunId) => {
    const staged = await Array.fromAsync(storage.list(blobNames.stagedPrefix(runId)));
    return [...(await cloud.listByRun(runId)), ...staged.map((blob) => blob.name)];
  };
  return {
    /** Runs every check; one problem keeps its own code, several are reported together. */
    async preflightFailover(input: { run: FailoverRun }): Promise<void> {
      const problems = await supervised(() => preflightProblems(ports, input.run));
      const [first] = problems;
      if (first === undefined) return;
      if (problems.length === 1) throw first;
      throw new DrError('DR_PREFLIGHT_FAILED', {
        count: problems.length,
        problems: problems.map((problem) => `${problem.code}: ${problem.message}`).join('; '),
      });
    },

    /** The same checks, without failing over: everything that stands in the way, at once. */
    async checkFailover(input: { run: FailoverRun }): Promise<JobError[]> {
      return (await supervised(() => preflightProblems(ports, input.run))).map(toJobError);
    },

    /** What a plan's run would find in a region. Reads only. */
    async lookAtRegion(input: RegionLookInput): Promise<RegionLook> {
      return supervised(() => lookAtRegion(cloud, input));
    },

    async prepareRunGroup(input: { scope: RunScope }): Promise<void> {
      await supervised(() => cloud.ensureResourceGroup(input.scope));
    },

    /**
     * Starts the copy of a point's disk to a page blob of the run; Azure cannot import a snapshot directly. The point
     * is pinned first: retention must not take it away under the copy.
     */
    async beginStageDisk(input: {
      runId: RunId;
      point: RecoveryPoint;
      disk: PointDisk;
    }): Promise<{ blob: string }> {
      const { runId, point, disk } = input;
      const blob = blobNames.staged(runId, disk.diskId);
      const replica = storage.replica(disk.replicaBlob);
      await supervised(async () => {
        await pinPoint(storage, point.itemId, point.pointId, runId);
        await replica.copySnapshot(disk.snapshotId, blob);
      });
      return { blob };
    },

    /** The run has its copies of the point, or wants none any more. */
    async releasePoint(input: { runId: RunId; point: RecoveryPoint }): Promise<void> {
      const { runId, point } = input;
      await supervised(() => unpinPoint(storage, point.itemId, point.pointId, runId));
    },

    /** Waits for the copy and answers the URL to import from (without any signature). */
    async awaitStageDisk(input: { blob: string }): Promise<{ url: string }> {
      return supervised(async ({ flush, signal }) => {
        const staged = storage.replica(input.blob);
        await staged.awaitCopy(flush, signal);
        return { url: staged.url };
      });
    },

    async beginDiskImport(input: {
      scope: RunScope;
      disk: Parameters<Cloud['beginDiskImport']>[1];
    }): Promise<BegunOperation> {
      return supervised(() => cloud.beginDiskImport(input.scope, input.disk));
    },

    async awaitDisk(input: { begun: BegunOperation }): Promise<AzureDisk> {
      return supervised(({ flush, signal }) => cloud.awaitDisk(input.begun, flush, signal));
    },

    async beginNic(input: {
      scope: RunScope;
      nic: Parameters<Cloud['beginNic']>[1];
    }): Promise<BegunOperation> {
      return supervised(() => cloud.beginNic(input.scope, input.nic));
    },

    async awaitNic(input: {
      begun: BegunOperation;
    }): Promise<{ resourceId: string; privateIpAddress: string }> {
      return supervised(({ flush, signal }) => cloud.awaitNic(input.begun, flush, signal));
    },

    /** With a fence the machine is started only while Azure holds the right to run it with exactly this number. */
    async beginVm(input: {
      scope: RunScope;
      vm: Parameters<Cloud['beginVm']>[1];
      fence?: { readonly item: ItemSpec; readonly number: number };
    }): Promise<BegunOperation> {
      const { scope, vm, fence } = input;
      return supervised(async () => {
        if (fence !== undefined) {
          const { itemId: item, machineName } = fence.item;
          await requireFence(storage, { item, machineName, owner: 'azure', number: fence.number });
        }
        return cloud.beginVm(scope, vm);
      });
    },

    async awaitVmRunning(input: { begun: BegunOperation }): Promise<AzureVm> {
      return supervised(({ flush, signal }) => cloud.awaitVmRunning(input.begun, flush, signal));
    },

    async beginDeleteRunGroup(input: { scope: RunScope }): Promise<BegunOperation> {
      return supervised(() => cloud.beginDeleteResourceGroup(input.scope));
    },

    async awaitDeleted(input: { begun: BegunOperation }): Promise<void> {
      await supervised(({ flush, signal }) => cloud.awaitDeleted(input.begun, flush, signal));
    },

    /** Ids of everything that carries the run's tag, and the run's staged blobs. */
    async listRun(input: { runId: RunId }): Promise<{ resources: string[] }> {
      return supervised(async () => ({ resources: await leftOf(input.runId) }));
    },

    /**
     * Removes the page blobs the disks were imported from; the managed disks are standalone copies. A run that was
     * displaced while it copied has not released its point: that is done here too.
     */
    async deleteStaged(input: { runId: RunId }): Promise<{ deleted: number }> {
      return supervised(async () => {
        await unpinRun(storage, input.runId);
        let deleted = 0;
        for await (const blob of storage.list(blobNames.stagedPrefix(input.runId))) {
          await storage.delete(blob.name);
          deleted += 1;
        }
        return { deleted };
      });
    },

    /** Throws (and is retried) until a listing by the run's tag is empty. */
    async proveRunEmpty(input: { runId: RunId }): Promise<void> {
      const left = await supervised(() => leftOf(input.runId));
      if (left.length > 0) {
        throw new DrError('DR_CLEANUP_INCOMPLETE', { run: input.runId, resources: left.join(', ') });
      }
    },
  };
}
