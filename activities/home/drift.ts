/**
 * What the master target found out about the disks at home, for the first copy to read in Azure: lies beside the
 * block hashes of the stream and goes with them.
 */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';

export interface HomeDescription {
  readonly copy: 'changes' | 'compare';
  /** Of the block hashes; set with `compare`. */
  readonly epoch: number;
  /** Of the reverse stream: what was on the disks when they were looked at. */
  readonly landedBarrier: number;
  /** Areas written at home since the point, of every disk; empty with `compare`. */
  readonly drift: Readonly<Record<DiskId, readonly Extent[]>>;
}

const count = z.number().int().nonnegative();

const descriptionSchema = z.strictObject({
  version: z.literal(1),
  copy: z.enum(['changes', 'compare']),
  epoch: count,
  landedBarrier: count,
  drift: z.record(
    z.string().regex(/^[0-9a-f]{32}$/),
    z.array(z.strictObject({ offset: count, length: count })),
  ),
});

const nameOf = (stream: ProtectedItemId) => `${blobNames.blockHashesPrefix(stream)}home.json`;

export async function saveDescription(
  storage: VaultStorage,
  stream: ProtectedItemId,
  description: HomeDescription,
): Promise<void> {
  await storage.put(nameOf(stream), Buffer.from(JSON.stringify({ version: 1, ...description })));
}

/** @throws DR_JOURNAL_GAP when there is none, or it is altered */
export async function loadDescription(
  storage: VaultStorage,
  stream: ProtectedItemId,
): Promise<HomeDescription> {
  const name = nameOf(stream);
  const stored = await storage.get(name);
  try {
    return descriptionSchema.parse(JSON.parse(Buffer.from(stored?.body ?? []).toString('utf8')));
  } catch (cause) {
    const reason = `${name} ${stored === null ? 'does not exist' : 'is altered'}`;
    throw new DrError('DR_JOURNAL_GAP', { item: stream, reason }, { cause });
  }
}
