/** The numbered snapshots of a way home's Azure disks: taken together, read as one state, removed when outlived. */
import { DrError } from '../../domain/errors.ts';
import { azureNames } from '../../domain/names.ts';
import type { AzureSnapshot, Cloud } from '../../domain/ports.ts';
import type { HomeWay } from '../../workflows/contracts/home.ts';
import { azureDiskId, scopeOf, snapshotNumber } from './azure-side.ts';

interface Hooks {
  readonly beat: () => void;
  readonly signal: AbortSignal;
}

/** One state of all disks, in disk order. */
export interface SnapshotSet {
  readonly number: number;
  /** ISO 8601 UTC, by Azure's clock: of the first one, because all later ones hold at least that. */
  readonly createdAt: string;
  readonly snapshots: readonly AzureSnapshot[];
}

/**
 * Snapshots every disk under `number`; all are begun before any is awaited. Sets that no barrier was made from go
 * first, so that this one is as new on every disk.
 */
export async function takeSnapshots(
  cloud: Cloud,
  way: HomeWay,
  number: number,
  hooks: Hooks,
): Promise<SnapshotSet> {
  await deleteSnapshots(cloud, way, (each) => each >= number, hooks);
  const scope = scopeOf(way.item.itemId, way.azure);
  const begun = await Promise.all(
    way.disks.map((disk, position) =>
      cloud.beginSnapshot(scope, {
        name: azureNames.snapshot(way.item.machineName, disk.index, number),
        diskId: azureDiskId(way, position),
      }),
    ),
  );
  const snapshots = await Promise.all(
    begun.map((each) => cloud.awaitSnapshot(each, hooks.beat, hooks.signal)),
  );
  return setOf(number, snapshots);
}

/** The set of that number; null when not all of it is there. */
export async function findSnapshots(cloud: Cloud, way: HomeWay, number: number): Promise<SnapshotSet | null> {
  const all = await cloud.listSnapshots(scopeOf(way.item.itemId, way.azure));
  const found = way.disks.map(({ index }) =>
    all.find(({ name }) => name === azureNames.snapshot(way.item.machineName, index, number)),
  );
  const whole = found.filter((snapshot) => snapshot !== undefined);
  return whole.length === way.disks.length ? setOf(number, whole) : null;
}

/** Deletes those whose number is due; a baseline is asked for like any other. Answers how many. */
export async function deleteSnapshots(
  cloud: Cloud,
  way: HomeWay,
  isDue: (number: number) => boolean,
  hooks: Hooks,
): Promise<number> {
  const scope = scopeOf(way.item.itemId, way.azure);
  const due = (await cloud.listSnapshots(scope)).filter(({ name }) => {
    const number = snapshotNumber(way.item.machineName, way.disks, name);
    return number !== null && isDue(number);
  });
  await Promise.all(
    due.map(async ({ resourceId }) => {
      const begun = await cloud.beginDeleteSnapshot(scope, resourceId);
      await cloud.awaitDeleted(begun, hooks.beat, hooks.signal);
    }),
  );
  return due.length;
}

/** @throws DR_INTERNAL when another attempt has replaced a snapshot of the set since it was looked at */
export async function requireUnchanged(cloud: Cloud, set: SnapshotSet): Promise<void> {
  const now = await Promise.all(set.snapshots.map(({ resourceId }) => cloud.snapshot(resourceId)));
  if (set.snapshots.every((each, position) => now[position]?.createdAt === each.createdAt)) return;
  throw new DrError('DR_INTERNAL', { reason: `snapshots ${set.number} were replaced by another attempt` });
}

function setOf(number: number, snapshots: readonly AzureSnapshot[]): SnapshotSet {
  const times = snapshots.map(({ createdAt }) => createdAt).toSorted();
  return { number, createdAt: times[0] ?? '', snapshots };
}
