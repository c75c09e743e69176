/**
 * Theory of removal by tag. In a group of the operator's own nothing but what carries the run's tag may go. The
 * begun operation holds no operation of Azure, only whose removal it is: whoever awaits it lists by tag, deletes
 * what comes first and lists again, until nothing is left. So it can be taken up anywhere, as often as needed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Snapshot } from '@azure/arm-compute';
import { z } from 'zod';
import { DrError } from '../../../domain/errors.ts';
import type { OnProgress } from '../../../domain/ports.ts';
import { collect, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { runToEnd } from './operation.ts';
import type { Poller } from './operation.ts';
import { isOfRun, refuseForeign } from './ownership.ts';
import type { Owner, Tags } from './ownership.ts';
import { endAccess } from './snapshot-access.ts';

interface Tagged {
  readonly id?: string;
  readonly name?: string;
  readonly tags?: Tags;
  readonly diskState?: Snapshot['diskState'];
}

interface Kind {
  readonly noun: string;
  list(group: string): AsyncIterable<Tagged>;
  get(group: string, name: string): Promise<Tagged>;
  /** What has to end before it can be deleted. */
  release?(found: Tagged): Promise<void>;
  remove(group: string, name: string): Poller;
}

interface Removal {
  readonly owner: Owner;
  readonly group: string;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

const ticketSchema = z.object({
  removalByTag: z.object({
    runId: z.string().min(1),
    itemId: z.string().min(1),
    mode: z.enum(['test', 'real']),
  }),
});

const REMOVALS_AT_ONCE = 8;
/** Each round removes a whole kind; more are needed only while Azure's listing lags behind. */
const ROUNDS_MAX = 60;

/** In the order in which they let go of each other. */
function kindsOf(clients: Clients): readonly Kind[] {
  const { compute, network, pollIntervalMs } = clients;
  const { virtualMachines, disks, snapshots } = compute;
  const { networkInterfaces } = network;
  const interval = { updateIntervalInMs: pollIntervalMs };
  return [
    {
      noun: 'virtual machine',
      list: (group) => virtualMachines.list(group),
      get: (group, name) => virtualMachines.get(group, name),
      remove: (group, name) => virtualMachines.delete(group, name, interval),
    },
    {
      noun: 'network interface',
      list: (group) => networkInterfaces.list(group),
      get: (group, name) => networkInterfaces.get(group, name),
      remove: (group, name) => networkInterfaces.delete(group, name, interval),
    },
    {
      noun: 'disk',
      list: (group) => disks.listByResourceGroup(group),
      get: (group, name) => disks.get(group, name),
      remove: (group, name) => disks.delete(group, name, interval),
    },
    {
      noun: 'snapshot',
      list: (group) => snapshots.listByResourceGroup(group),
      get: (group, name) => snapshots.get(group, name),
      release: (found) => endAccess(clients, found),
      remove: (group, name) => snapshots.delete(group, name, interval),
    },
  ];
}

/** What `awaitRemoval` needs, as text. @throws DR_AZURE_NAME_TAKEN when a resource is of the run's other mode or item */
export async function beginRemoval(clients: Clients, owner: Owner, group: string): Promise<string> {
  for (const kind of kindsOf(clients)) {
    for (const { id = '', tags } of await listOwn(kind, owner, group)) refuseForeign(owner, id, tags);
  }
  const { runId, itemId, mode } = owner;
  return JSON.stringify({ removalByTag: { runId, itemId, mode } });
}

/** Whose removal a begun operation is; null: it is another operation. */
export function parseRemoval(poller: string | null): Owner | null {
  if (poller === null) return null;
  let ticket: unknown;
  try {
    ticket = JSON.parse(poller);
  } catch {
    return null;
  }
  const parsed = ticketSchema.safeParse(ticket);
  return parsed.success ? (parsed.data.removalByTag as Owner) : null;
}

export async function awaitRemoval(clients: Clients, wait: Removal): Promise<void> {
  const { owner, group, onProgress, signal } = wait;
  let left: readonly Tagged[] = [];
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const next = await firstLeft(clients, owner, group, signal);
    if (next === null) return;
    ({ left } = next);
    for (let at = 0; at < left.length; at += REMOVALS_AT_ONCE) {
      const ends = await Promise.allSettled(
        left.slice(at, at + REMOVALS_AT_ONCE).map((found) => removeOwn(next.kind, found, wait)),
      );
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
    onProgress();
    await sleep(clients.pollIntervalMs, undefined, { signal });
  }
  const resources = left.map(({ id = '' }) => id).join(', ');
  throw new DrError('DR_CLEANUP_INCOMPLETE', { run: owner.runId, resources });
}

async function firstLeft(
  clients: Clients,
  owner: Owner,
  group: string,
  signal: AbortSignal,
): Promise<{ readonly kind: Kind; readonly left: readonly Tagged[] } | null> {
  for (const kind of kindsOf(clients)) {
    signal.throwIfAborted();
    const left = await listOwn(kind, owner, group);
    if (left.length > 0) return { kind, left };
  }
  return null;
}

async function listOwn(kind: Kind, { runId }: Owner, group: string): Promise<readonly Tagged[]> {
  const facts = { attempted: `list each ${kind.noun} of ${group}` };
  const found = await getOrNull(facts, () =>
    collect(kind.list(group), (one) => (isOfRun(runId, one.tags) ? one : null)),
  );
  return found ?? [];
}

/** Looks at the tags once more right before: the listing may be older than a change of them. */
async function removeOwn(
  kind: Kind,
  { id = '', name = '' }: Tagged,
  { owner, group, onProgress, signal }: Removal,
): Promise<void> {
  const facts = { attempted: `delete ${kind.noun} ${name}` };
  const found = await getOrNull(facts, () => kind.get(group, name), signal);
  if (found === null || !isOfRun(owner.runId, found.tags)) return;
  refuseForeign(owner, id, found.tags);
  await kind.release?.(found);
  await runToEnd(facts, kind.remove(group, name), onProgress, signal);
}
