/**
 * The fence: which side has the right to run a machine. One record per item, `fences/<item>.json`, replaced only by
 * the version it was read from, so that of two takers one learns that the other was first.
 */
import { z } from 'zod';
import { DrError } from '../domain/errors.ts';
import type { ProtectedItemId } from '../domain/ids.ts';
import { blobNames } from '../domain/names.ts';
import type { VaultStorage } from '../domain/ports.ts';

export type FenceOwner = 'onPremises' | 'azure';

export interface Fence {
  readonly owner: FenceOwner;
  /** Grows with every hand-over. */
  readonly number: number;
}

export interface FenceRequest extends Fence {
  readonly item: ProtectedItemId;
  readonly machineName: string;
}

const fenceSchema = z.strictObject({
  version: z.literal(1),
  owner: z.enum(['onPremises', 'azure']),
  number: z.number().int().nonnegative(),
});

/** Before the first hand-over there is no record: the machine runs where it always did. */
const FIRST: Fence = { owner: 'onPremises', number: 0 };
/** Takers of one item come from one workflow: more than a few meeting is a bug. */
const TRIES_MAX = 8;

/** @throws DR_JOURNAL_GAP when the record cannot be understood: then nobody may run the machine */
export async function readFence(storage: VaultStorage, item: ProtectedItemId): Promise<Fence> {
  return (await stored(storage, item)).fence;
}

/**
 * Gives the right to run to `owner`. Done when it holds it with this number already.
 * @throws DR_FENCE_HELD for a number that is older than the one held, or held by the other side
 */
export async function takeFence(storage: VaultStorage, request: FenceRequest): Promise<Fence> {
  const { item, owner, number } = request;
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const { fence, etag } = await stored(storage, item);
    if (fence.number === number && fence.owner === owner) return fence;
    if (fence.number >= number) throw held(request, fence);
    const body = Buffer.from(JSON.stringify({ version: 1, owner, number }));
    const name = blobNames.fence(item);
    const isWritten =
      etag === null
        ? (await storage.putOnce(name, body)) === 'created'
        : (await storage.put(name, body, etag)) !== null;
    if (isWritten) return { owner, number };
  }
  throw new DrError('DR_INTERNAL', { reason: `the fence of ${item} changes faster than it can be taken` });
}

/** @throws DR_FENCE_HELD unless `owner` holds the fence with exactly this number */
export async function requireFence(storage: VaultStorage, request: FenceRequest): Promise<void> {
  const fence = await readFence(storage, request.item);
  if (fence.owner !== request.owner || fence.number !== request.number) throw held(request, fence);
}

async function stored(storage: VaultStorage, item: ProtectedItemId) {
  const name = blobNames.fence(item);
  const found = await storage.get(name);
  if (found === null) return { fence: FIRST, etag: null };
  const { owner, number } = parse(found.body) ?? unreadable(item, name);
  return { fence: { owner, number }, etag: found.etag };
}

function parse(body: Uint8Array): Fence | null {
  try {
    return fenceSchema.parse(JSON.parse(Buffer.from(body).toString('utf8')));
  } catch {
    return null;
  }
}

function unreadable(item: ProtectedItemId, name: string): never {
  throw new DrError('DR_JOURNAL_GAP', { item, reason: `${name} is altered` });
}

function held(request: FenceRequest, fence: Fence): DrError {
  return new DrError('DR_FENCE_HELD', {
    machine: request.machineName,
    where: request.owner === 'azure' ? 'in Azure' : 'on premises',
    owner: fence.owner === 'azure' ? 'Azure' : 'the site',
    number: request.number,
    held: fence.number,
  });
}
