/** A replica opened for writing, with what its metadata says was applied. */
import { DrError } from '../../domain/errors.ts';
import type { DiskId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { ReplicaBlob, ReplicaWriter } from '../../domain/ports.ts';
import type { ChainTail } from '../../domain/replication.ts';
import { CHAIN_START } from '../../domain/replication.ts';
import { VHD_FOOTER_BYTES, azureDiskBytes } from '../../domain/units.ts';
import type { ApplyDisk, ApplyRequest } from './apply-request.ts';
import { vhdFooter } from './vhd-footer.ts';

/** The blob's metadata after a barrier; its snapshots carry it too. */
export interface AppliedState {
  readonly barrier: number;
  readonly tail: ChainTail;
  /** Of the disk; the blob is longer by what rounds it up to a MiB, and the footer. */
  readonly capacityBytes: number;
}

/** Replicas that were made before disks could grow do not say their capacity: it is what it always was. */
type StoredState = Omit<AppliedState, 'capacityBytes'> & Partial<Pick<AppliedState, 'capacityBytes'>>;

export interface Replica {
  readonly diskId: DiskId;
  /** 1: from the start. */
  readonly joinedAtBarrier: number;
  readonly blob: ReplicaBlob;
  readonly writer: ReplicaWriter;
  applied: AppliedState;
}

/**
 * Makes the blob if there is none and takes the pen. A disk that joins, for the first time or again, starts empty and
 * holds the barrier before the one it joins with.
 * @throws DR_REPLICATION_FENCED, DR_JOURNAL_GAP
 */
export async function openReplica(request: ApplyRequest, disk: ApplyDisk): Promise<Replica> {
  const { diskId, joinedAtBarrier = 1 } = disk;
  const blob = request.storage.replica(blobNames.replica(request.item, diskId));
  if ((await readAppliedState(blob)) === null) {
    await blob.create(azureDiskBytes(disk.capacityBytes) + VHD_FOOTER_BYTES);
  }
  const writer = await blob.fence(request.epoch, request.signal);
  try {
    const found = await readAppliedState(blob);
    const capacityBytes = found?.capacityBytes ?? disk.capacityBytes;
    const applied = { barrier: 0, tail: CHAIN_START, ...found, capacityBytes };
    const replica: Replica = { diskId, joinedAtBarrier, blob, writer, applied };
    if (found === null || found.barrier < joinedAtBarrier - 1) {
      await startReplica(replica, disk.capacityBytes, found !== null);
    }
    return replica;
  } catch (error) {
    await writer.release();
    throw error;
  }
}

/** `isUsed`: the blob holds what the disk was before it left the stream. */
async function startReplica(replica: Replica, capacityBytes: number, isUsed: boolean): Promise<void> {
  const { writer, joinedAtBarrier, diskId } = replica;
  if (isUsed) {
    await growReplica(replica, capacityBytes);
    await writer.clear(0, azureDiskBytes(replica.applied.capacityBytes));
  } else {
    const diskBytes = azureDiskBytes(capacityBytes);
    await writer.write(diskBytes, vhdFooter(diskBytes, diskId));
  }
  const { capacityBytes: bytes } = replica.applied;
  await setState(replica, { barrier: joinedAtBarrier - 1, tail: CHAIN_START, capacityBytes: bytes });
}

/**
 * The blob gets the size of a disk of `capacityBytes`, and its footer moves. Interrupted, the blob says it has the
 * size before, and growing again ends the same.
 * @throws DR_JOURNAL_GAP when it is larger already
 */
export async function growReplica(replica: Replica, capacityBytes: number): Promise<void> {
  const { writer, diskId, applied } = replica;
  if (capacityBytes === applied.capacityBytes) return;
  if (capacityBytes < applied.capacityBytes) {
    const reason = `disk ${diskId} has ${capacityBytes} bytes, its replica ${applied.capacityBytes}`;
    throw new DrError('DR_JOURNAL_GAP', { item: replica.blob.name, reason });
  }
  const before = azureDiskBytes(applied.capacityBytes);
  const after = azureDiskBytes(capacityBytes);
  if (after > before) {
    await writer.resize(after + VHD_FOOTER_BYTES);
    await writer.write(after, vhdFooter(after, diskId));
    await writer.clear(before, VHD_FOOTER_BYTES);
  }
  await setState(replica, { ...applied, capacityBytes });
}

/** On the blob first: what is remembered here was said there. */
export async function setState(replica: Replica, state: AppliedState): Promise<void> {
  await replica.writer.setMetadata(encodeState(state));
  replica.applied = state;
}

/** Null: nothing was ever applied to the blob, or it does not exist. */
export async function readAppliedState(blob: ReplicaBlob): Promise<StoredState | null> {
  const properties = await blob.properties();
  if (properties === null || properties.metadata['barrier'] === undefined) return null;
  const state = decodeState(properties.metadata);
  if (state === null) {
    throw new DrError('DR_JOURNAL_GAP', { item: blob.name, reason: 'its metadata is altered' });
  }
  return state;
}

function encodeState(state: AppliedState): Record<string, string> {
  return {
    barrier: String(state.barrier),
    nextseq: String(state.tail.nextSeq),
    hash: state.tail.hash,
    capacity: String(state.capacityBytes),
  };
}

export function decodeState(metadata: Readonly<Record<string, string>>): StoredState | null {
  const { barrier = '', nextseq = '', hash = '', capacity } = metadata;
  const isWellFormed =
    [barrier, nextseq, capacity ?? '0'].every((digits) => /^\d{1,15}$/.test(digits)) &&
    /^[0-9a-f]{64}$/.test(hash);
  if (!isWellFormed) return null;
  const state = { barrier: Number(barrier), tail: { nextSeq: Number(nextseq), hash } };
  return capacity === undefined ? state : { ...state, capacityBytes: Number(capacity) };
}
