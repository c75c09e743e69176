/** The numbered snapshots of a way home's Azure disks: taken together, read as one state, removed when outlived. */
import { azureNames } from '../../domain/names.ts';
import type { AzureSnapshot, Cloud } from '../../domain/ports.ts';
import type { Barrier } from '../../domain/replication.ts';
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
 * Snapshots every disk under one number, which is above `number` where an earlier attempt has left snapshots: a name is
 * never used for two states, because that attempt may still make a barrier of its own. All are begun before any is
 * awaited.
 */
export async function takeSnapshots(
  cloud: Cloud,
  way: HomeWay,
  number: number,
  hooks: Hooks,
): Promise<SnapshotSet> {
  const scope = scopeOf(way.item.itemId, way.azure);
  const free = Math.max(number, ...(await numbersInUse(cloud, way)).map((each) => each + 1));
  const begun = await Promise.all(
    way.disks.map((disk, position) =>
      cloud.beginSnapshot(scope, {
        name: azureNames.snapshot(way.item.machineName, disk.index, free),
        diskId: azureDiskId(way, position),
      }),
    ),
  );
  const snapshots = await Promise.all(
    begun.map((each) => cloud.awaitSnapshot(each, hooks.beat, hooks.signal)),
  );
  return setOf(way, snapshots);
}

/** The snapshots a barrier was read from; null when one of them does not exist any more. */
export async function snapshotsOf(cloud: Cloud, way: HomeWay, barrier: Barrier): Promise<SnapshotSet | null> {
  const ids = changeIdsOf(way, barrier).filter((id) => id !== null);
  const found = await Promise.all(ids.map((id) => cloud.snapshot(id)));
  const whole = found.filter((snapshot) => snapshot !== null);
  return whole.length === way.disks.length ? setOf(way, whole) : null;
}

/** In disk order. */
export function changeIdsOf(way: HomeWay, barrier: Barrier): (string | null)[] {
  return way.disks.map(
    ({ diskId }) => barrier.disks.find((disk) => disk.diskId === diskId)?.changeId ?? null,
  );
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

async function numbersInUse(cloud: Cloud, way: HomeWay): Promise<number[]> {
  const all = await cloud.listSnapshots(scopeOf(way.item.itemId, way.azure));
  return all
    .map(({ name }) => snapshotNumber(way.item.machineName, way.disks, name))
    .filter((number) => number !== null);
}

function setOf(way: HomeWay, snapshots: readonly AzureSnapshot[]): SnapshotSet {
  const [first] = snapshots;
  return {
    number: snapshotNumber(way.item.machineName, way.disks, first?.name ?? '') ?? 0,
    createdAt: snapshots.map(({ createdAt }) => createdAt).toSorted()[0] ?? '',
    snapshots,
  };
}
