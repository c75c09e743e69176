/** Samples and findings end with the recovery point they are about. */
import type { ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import { mapBounded } from '../budget.ts';
import { listPointNames } from '../journal/manifests.ts';
import { listScrub, type ScrubNames } from './records.ts';

const REQUESTS_AT_ONCE = 8;

/** Of barriers up to `appliedBarrier`: those behind it may still become points. Safe beside everything and when repeated. */
export async function sweepScrub(
  storage: VaultStorage,
  item: ProtectedItemId,
  appliedBarrier: number,
  signal?: AbortSignal,
): Promise<void> {
  // Listed first: a point that comes into being meanwhile is of a later barrier than all of these.
  const names = await listScrub(storage, item, signal);
  if (names.samples.length + names.findings.length === 0) return;
  const points = await listPointNames(storage, item, signal);
  const standing = new Set(points.map(({ barrierNumber }) => barrierNumber));
  await dropScrub(storage, item, names, (number) => number <= appliedBarrier && !standing.has(number));
}

export async function dropScrub(
  storage: VaultStorage,
  item: ProtectedItemId,
  { samples, findings }: ScrubNames,
  isOver: (barrierNumber: number) => boolean,
): Promise<void> {
  const names = [
    ...samples.filter(isOver).map((number) => blobNames.scrubSample(item, number)),
    ...findings.filter(isOver).map((number) => blobNames.scrubFinding(item, number)),
  ];
  await mapBounded(names, REQUESTS_AT_ONCE, (name) => storage.delete(name));
}
