/** Incremental snapshots of managed disks. */
import { restorePoller } from '@azure/arm-compute';
import type { Snapshot } from '@azure/arm-compute';
import { DrError } from '../../../domain/errors.ts';
import type { AzureSnapshot, Cloud } from '../../../domain/ports.ts';
import { collect, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureError } from './errors.ts';
import { awaitStep, beginStep, submit } from './operation.ts';
import { isOfRun, refuseForeign, tagsOf } from './ownership.ts';
import { isSameId, parseResourceId, resourceIdOf } from './resource-id.ts';
import { endAccess, endAccessesIn } from './snapshot-access.ts';

type SnapshotCalls = Pick<
  Cloud,
  | 'beginSnapshot'
  | 'awaitSnapshot'
  | 'snapshot'
  | 'listSnapshots'
  | 'endSnapshotAccess'
  | 'beginDeleteSnapshot'
>;

export function createSnapshots(clients: Clients): SnapshotCalls {
  const { snapshots } = clients.compute;
  const interval = { updateIntervalInMs: clients.pollIntervalMs };
  return {
    beginSnapshot(scope, { name, diskId }) {
      const { resourceGroup, location } = scope;
      const resourceId = resourceIdOf(
        clients.subscriptionId,
        resourceGroup,
        'Microsoft.Compute/snapshots',
        name,
      );
      const body: Snapshot = {
        location,
        tags: tagsOf(scope),
        incremental: true,
        creationData: { createOption: 'Copy', sourceResourceId: diskId },
      };
      return beginStep(scope, {
        facts: { attempted: `make snapshot ${name}`, location },
        resourceId,
        get: () => snapshots.get(resourceGroup, name),
        put: () => snapshots.createOrUpdate(resourceGroup, name, body),
        remove: () => snapshots.delete(resourceGroup, name, interval),
        adopt: ({ creationData }) => {
          if (isSameId(creationData?.sourceResourceId, diskId)) return;
          throw new DrError('DR_AZURE_NAME_TAKEN', { resource: resourceId, run: scope.runId });
        },
      });
    },
    async awaitSnapshot(begun, onProgress, signal) {
      const { group, name } = parseResourceId(begun.resourceId);
      const facts = { attempted: `make snapshot ${name}` };
      const snapshot = await awaitStep(clients, {
        facts,
        begun,
        restore: (state) => restorePoller(clients.compute, state, snapshots.createOrUpdate, interval),
        get: () => snapshots.get(group, name),
        isComplete: ({ completionPercent = 100, copyCompletionError: failed }) => {
          if (failed === undefined) return completionPercent >= 100;
          throw failureError(facts, { status: null, code: failed.errorCode, message: failed.errorMessage });
        },
        onProgress,
        signal,
      });
      return factsOf(begun.resourceId, snapshot);
    },
    snapshot: (resourceId) => readSnapshot(clients, resourceId),
    async listSnapshots({ resourceGroup, runId }) {
      const facts = { attempted: `list snapshots of ${resourceGroup}` };
      const found = await getOrNull(facts, () =>
        collect(snapshots.listByResourceGroup(resourceGroup), (snapshot) =>
          isOfRun(runId, snapshot.tags) ? factsOf(snapshot.id ?? '', snapshot) : null,
        ),
      );
      return found ?? [];
    },
    endSnapshotAccess: (scope, exceptIds) => endAccessesIn(clients, scope, exceptIds),
    async beginDeleteSnapshot(scope, resourceId) {
      const { group, name } = parseResourceId(resourceId);
      const facts = { attempted: `delete snapshot ${name}` };
      const found = await getOrNull(facts, () => snapshots.get(group, name));
      if (found === null) return { resourceId, poller: null };
      refuseForeign(scope, resourceId, found.tags);
      await endAccess(clients, found);
      return { resourceId, poller: await submit(facts, () => snapshots.delete(group, name)) };
    },
  };
}

export async function readSnapshot(clients: Clients, resourceId: string): Promise<AzureSnapshot | null> {
  const { group, name } = parseResourceId(resourceId);
  const found = await getOrNull({ attempted: `look at snapshot ${name}` }, () =>
    clients.compute.snapshots.get(group, name),
  );
  return found === null ? null : factsOf(resourceId, found);
}

function factsOf(resourceId: string, snapshot: Snapshot): AzureSnapshot {
  return {
    resourceId,
    name: snapshot.name ?? parseResourceId(resourceId).name,
    diskId: snapshot.creationData?.sourceResourceId ?? '',
    bytes: snapshot.diskSizeBytes ?? 0,
    familyId: snapshot.incrementalSnapshotFamilyId ?? '',
    createdAt: snapshot.timeCreated?.toISOString() ?? '',
  };
}
