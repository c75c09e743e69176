/** The recovery-site worker's part: barriers applied as they come, as `applySession` does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asId } from '../../domain/ids.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import { fencingEpoch } from '../../domain/replication.ts';
import { azureDiskBytes } from '../../domain/units.ts';
import { applyPending } from '../../dataplane/apply/apply-pending.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { hashSnapshot, listPoints, pruneJournal, prunePoints } from '../../dataplane/points.ts';
import { measured, serve, type Measured } from './serve.ts';
import { openVault, type OpenVault, type VaultPlace } from './vault.ts';

/** As in create-apply-activities.ts. */
const BARRIERS_AT_ONCE = 8;
/** What the product waits between looks at the journal with an interval of 1 s. */
const LOOK_MS = 500;

export interface AppliedDisk {
  readonly diskId: string;
  readonly capacityBytes: number;
}

export interface FollowInput {
  readonly stream: string;
  readonly disks: readonly AppliedDisk[];
  /** Ends with the first recovery point of this barrier or a later one; null: when `finishAt` says so. */
  readonly untilPoint: number | null;
  readonly retentionHours: number;
}

export interface MadePoint {
  readonly barrierNumber: number;
  readonly sourceTime: string;
  readonly durableTime: string;
  /** When the snapshots were taken. */
  readonly processedTime: string;
}

export interface Followed extends Measured {
  readonly points: readonly MadePoint[];
  /** Barriers that waited at most when the journal was looked at. */
  readonly waitingMax: number;
}

export interface ApplyCalls {
  open(place: VaultPlace): Promise<void>;
  follow(input: FollowInput): Promise<Followed>;
  finishAt(input: { readonly barrierNumber: number }): Promise<void>;
  /** SHA-256 of the disk in the newest point. */
  hash(input: { readonly stream: string; readonly disk: AppliedDisk }): Promise<string>;
}

const never = new AbortController().signal;
let vault: OpenVault | null = null;
let attempts = 0;
let lastBarrier = Infinity;

const calls: ApplyCalls = {
  async open(place) {
    vault = await openVault(place);
  },
  async follow(input) {
    const { result, ...times } = await measured(() => follow(input));
    return { ...times, ...result };
  },
  async finishAt({ barrierNumber }) {
    lastBarrier = barrierNumber;
  },
  async hash({ stream, disk }) {
    const { storage } = opened();
    const item = asId<ProtectedItemId>(stream);
    const [newest] = await listPoints(storage, item);
    const blob = blobNames.replica(item, asId<DiskId>(disk.diskId));
    const held = newest?.disks.find(({ replicaBlob }) => replicaBlob === blob);
    if (held === undefined) throw new Error(`no point of ${stream} holds disk ${disk.diskId}`);
    return hashSnapshot(storage, blob, held.snapshotId, azureDiskBytes(disk.capacityBytes));
  },
};

async function follow(input: FollowInput): Promise<Pick<Followed, 'points' | 'waitingMax'>> {
  const { storage } = opened();
  const item = asId<ProtectedItemId>(input.stream);
  attempts += 1;
  const epoch = fencingEpoch(1, attempts);
  const points: MadePoint[] = [];
  const isOver = () => (points.at(-1)?.barrierNumber ?? 0) >= (input.untilPoint ?? lastBarrier);
  let [applied, waitingMax] = [0, 0];
  while (!isOver()) {
    const newest = (await latestBarrier(storage, item))?.number ?? 0;
    if (newest <= applied) {
      await sleep(LOOK_MS);
      continue;
    }
    if (applied > 0) waitingMax = Math.max(waitingMax, newest - applied);
    const done = await applyOnce(item, input, epoch);
    applied = done.applied;
    points.push(...done.points);
    if (!done.moreWaiting && !isOver()) await sleep(LOOK_MS);
  }
  return { points, waitingMax };
}

async function applyOnce(item: ProtectedItemId, input: FollowInput, epoch: number) {
  const { storage, vaultKey } = opened();
  const disks = input.disks.map(({ diskId, capacityBytes }) => ({
    diskId: asId<DiskId>(diskId),
    capacityBytes,
  }));
  const done = await applyPending({
    item,
    disks,
    epoch,
    key: await openItemKey(storage, vaultKey, item),
    storage,
    signal: never,
    barriersMax: BARRIERS_AT_ONCE,
    onProgress: () => undefined,
  });
  const newest = done.points.at(-1);
  if (newest !== undefined) {
    await prunePoints(storage, item, { retentionHours: input.retentionHours }, Date.now());
    const ids = disks.map(({ diskId }) => diskId);
    await pruneJournal(storage, item, ids, newest.barrierNumber);
  }
  const points = done.points.map(({ barrierNumber, sourceTime, durableTime, processedTime }) => ({
    barrierNumber,
    sourceTime,
    durableTime,
    processedTime,
  }));
  return { applied: done.appliedBarrier, moreWaiting: done.moreWaiting, points };
}

function opened(): OpenVault {
  if (vault === null) throw new Error('the vault is not open');
  return vault;
}

await serve({ ...calls });
