/** Waits for what was begun to be deleted: a group, a snapshot, or by tag what a run made in a shared group. */
import { setTimeout as sleep } from 'node:timers/promises';
import { restorePoller as restoreComputePoller } from '@azure/arm-compute';
import { restorePoller as restoreResourcesPoller } from '@azure/arm-resources';
import type { BegunOperation, Cloud, OnProgress } from '../../../domain/ports.ts';
import { getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureError } from './errors.ts';
import { awaitPoller } from './operation.ts';
import type { Poller } from './operation.ts';
import { awaitRemoval, parseRemoval } from './removal.ts';
import { parseGroupId, parseResourceId, typeOf } from './resource-id.ts';

export function createDeletion(clients: Clients): Pick<Cloud, 'awaitDeleted'> {
  return {
    awaitDeleted(begun, onProgress, signal) {
      const owner = parseRemoval(begun.poller);
      if (owner === null) return awaitGone(clients, begun, onProgress, signal);
      return awaitRemoval(clients, { owner, group: parseGroupId(begun.resourceId), onProgress, signal });
    },
  };
}

interface Deletable {
  readonly what: string;
  readonly restore: (state: string) => Poller;
  /** What Azure says of it. */
  readonly state: () => Promise<string | undefined>;
}

function deletableOf(clients: Clients, resourceId: string): Deletable {
  const interval = { updateIntervalInMs: clients.pollIntervalMs };
  if (typeOf(resourceId) === undefined) {
    const { resourceGroups } = clients.resources;
    const group = parseGroupId(resourceId);
    return {
      what: `resource group ${group}`,
      restore: (state) => restoreResourcesPoller(clients.resources, state, resourceGroups.delete, interval),
      state: async () => (await resourceGroups.get(group)).properties?.provisioningState,
    };
  }
  const { snapshots } = clients.compute;
  const { group, name } = parseResourceId(resourceId);
  return {
    what: `snapshot ${name}`,
    restore: (state) => restoreComputePoller(clients.compute, state, snapshots.delete, interval),
    state: async () => (await snapshots.get(group, name)).provisioningState,
  };
}

async function awaitGone(
  clients: Clients,
  begun: BegunOperation,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const { what, restore, state } = deletableOf(clients, begun.resourceId);
  const facts = { attempted: `delete ${what}` };
  await awaitPoller(clients, { facts, poller: begun.poller, restore, onProgress, signal });
  for (;;) {
    signal.throwIfAborted();
    const found = await getOrNull(facts, async () => (await state()) ?? 'unknown');
    if (found === null) return;
    if (found !== 'Deleting') {
      throw failureError(facts, { status: null, code: 'NotDeleted', message: `its state is ${found}` });
    }
    onProgress();
    await sleep(clients.pollIntervalMs, undefined, { signal });
  }
}
