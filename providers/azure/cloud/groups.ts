/** Resource groups: one per run, so that deleting it takes everything of the run away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { restorePoller } from '@azure/arm-resources';
import { RUN_TAG } from '../../../domain/names.ts';
import type { Cloud } from '../../../domain/ports.ts';
import { call, collect, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureError } from './errors.ts';
import { awaitPoller, submit } from './operation.ts';
import { refuseForeign, tagsOf } from './ownership.ts';
import { groupIdOf, parseGroupId } from './resource-id.ts';

type GroupCalls = Pick<
  Cloud,
  'ensureResourceGroup' | 'beginDeleteResourceGroup' | 'awaitDeleted' | 'listByRun'
>;

export function createGroups(clients: Clients): GroupCalls {
  const { resourceGroups, resources } = clients.resources;
  return {
    async ensureResourceGroup(scope) {
      const { resourceGroup, location } = scope;
      const facts = { attempted: `create resource group ${resourceGroup}`, location };
      const found = await getOrNull(facts, () => resourceGroups.get(resourceGroup));
      if (found !== null) refuseForeign(scope, groupIdOf(clients.subscriptionId, resourceGroup), found.tags);
      // A group under deletion refuses the PUT, so nothing is built into one.
      await call(facts, () =>
        resourceGroups.createOrUpdate(resourceGroup, { location, tags: tagsOf(scope) }),
      );
    },
    async beginDeleteResourceGroup(scope) {
      const { resourceGroup } = scope;
      const facts = { attempted: `delete resource group ${resourceGroup}` };
      const resourceId = groupIdOf(clients.subscriptionId, resourceGroup);
      const found = await getOrNull(facts, () => resourceGroups.get(resourceGroup));
      if (found === null) return { resourceId, poller: null };
      refuseForeign(scope, resourceId, found.tags);
      return { resourceId, poller: await submit(facts, () => resourceGroups.delete(resourceGroup)) };
    },
    async awaitDeleted(begun, onProgress, signal) {
      const group = parseGroupId(begun.resourceId);
      const facts = { attempted: `delete resource group ${group}` };
      await awaitPoller(clients, {
        facts,
        poller: begun.poller,
        restore: (state) =>
          restorePoller(clients.resources, state, resourceGroups.delete, {
            updateIntervalInMs: clients.pollIntervalMs,
          }),
        onProgress,
        signal,
      });
      for (;;) {
        signal.throwIfAborted();
        const found = await getOrNull(facts, () => resourceGroups.get(group));
        if (found === null) return;
        const state = found.properties?.provisioningState ?? 'unknown';
        if (state !== 'Deleting') {
          throw failureError(facts, { status: null, code: 'NotDeleted', message: `its state is ${state}` });
        }
        onProgress();
        await sleep(clients.pollIntervalMs, undefined, { signal });
      }
    },
    listByRun: (runId) =>
      call({ attempted: `list what carries the tag of run ${runId}` }, async () => {
        const filter = `tagName eq '${RUN_TAG}' and tagValue eq '${runId.replaceAll("'", "''")}'`;
        const idOf = (found: { readonly id?: string }) => found.id ?? null;
        const groups = await collect(resourceGroups.list({ filter }), idOf);
        return [...groups, ...(await collect(resources.list({ filter }), idOf))];
      }),
  };
}
