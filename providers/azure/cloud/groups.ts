/** Resource groups: one per run, so that deleting it takes everything of the run away. */
import { DrError } from '../../../domain/errors.ts';
import { RUN_TAG } from '../../../domain/names.ts';
import type { Cloud } from '../../../domain/ports.ts';
import { call, collect, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { submit } from './operation.ts';
import { refuseForeign, tagsOf } from './ownership.ts';
import { beginRemoval } from './removal.ts';
import { groupIdOf } from './resource-id.ts';
import { endAccessesIn } from './snapshot-access.ts';

type GroupCalls = Pick<
  Cloud,
  'ensureResourceGroup' | 'resourceGroupExists' | 'beginDeleteResourceGroup' | 'listByRun'
>;

export function createGroups(clients: Clients): GroupCalls {
  const { resourceGroups, resources } = clients.resources;
  return {
    async ensureResourceGroup(scope) {
      const { resourceGroup, location } = scope;
      const facts = { attempted: `create resource group ${resourceGroup}`, location };
      const found = await getOrNull(facts, () => resourceGroups.get(resourceGroup));
      if (scope.sharedGroup) {
        if (found === null) throw new DrError('DR_AZURE_GROUP_UNKNOWN', { resourceGroup });
        return;
      }
      if (found !== null) refuseForeign(scope, groupIdOf(clients.subscriptionId, resourceGroup), found.tags);
      // A group under deletion refuses the PUT, so nothing is built into one.
      await call(facts, () =>
        resourceGroups.createOrUpdate(resourceGroup, { location, tags: tagsOf(scope) }),
      );
    },
    async resourceGroupExists(name) {
      const { body } = await call({ attempted: `look for resource group ${name}` }, () =>
        resourceGroups.checkExistence(name),
      );
      return body;
    },
    async beginDeleteResourceGroup(scope) {
      const { resourceGroup } = scope;
      const facts = { attempted: `delete resource group ${resourceGroup}` };
      const resourceId = groupIdOf(clients.subscriptionId, resourceGroup);
      const found = await getOrNull(facts, () => resourceGroups.get(resourceGroup));
      if (found === null) return { resourceId, poller: null };
      if (scope.sharedGroup) {
        return { resourceId, poller: await beginRemoval(clients, scope, resourceGroup) };
      }
      refuseForeign(scope, resourceId, found.tags);
      await endAccessesIn(clients, scope);
      try {
        return { resourceId, poller: await submit(facts, () => resourceGroups.delete(resourceGroup)) };
      } catch (error) {
        // Sent again by the SDK because its answer was lost, the request finds nothing any more.
        if (isGone(error)) return { resourceId, poller: null };
        throw error;
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

function isGone(error: unknown): boolean {
  return error instanceof DrError && error.context['azureCode'] === 'ResourceGroupNotFound';
}
