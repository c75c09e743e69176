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
}

const NOTHING_APPLIED: AppliedState = { barrier: 0, tail: CHAIN_START };

export interface Replica {
  readonly diskId: DiskId;
  readonly capacityBytes: number;
  readonly blob: ReplicaBlob;
  readonly writer: ReplicaWriter;
  applied: AppliedState;
}

/** Makes the blob if there is none and takes the pen. @throws DR_REPLICATION_FENCED */
export async function openReplica(request: ApplyRequest, disk: ApplyDisk): Promise<Replica> {
  const blob = request.storage.replica(blobNames.replica(request.item, disk.diskId));
  const diskBytes = azureDiskBytes(disk.capacityBytes);
  await blob.create(diskBytes + VHD_FOOTER_BYTES);
  const writer = await blob.fence(request.epoch, request.signal);
  try {
    const applied = await readAppliedState(blob);
    if (applied === null) {
      await writer.write(diskBytes, vhdFooter(diskBytes, disk.diskId));
      await writer.setMetadata(encodeState(NOTHING_APPLIED));
    }
    return { ...disk, blob, writer, applied: applied ?? NOTHING_APPLIED };
  } catch (error) {
    await writer.release();
    throw error;
  }
}

/** Null: nothing was ever applied to the blob, or it does not exist. */
export async function readAppliedState(blob: ReplicaBlob): Promise<AppliedState | null> {
  const properties = await blob.properties();
  if (properties === null || properties.metadata['barrier'] === undefined) return null;
  const state = decodeState(properties.metadata);
  if (state === null) {
    throw new DrError('DR_JOURNAL_GAP', { item: blob.name, reason: 'its metadata is altered' });
  }
  return state;
}

export function encodeState(state: AppliedState): Record<string, string> {
  return {
    barrier: String(state.barrier),
    nextseq: String(state.tail.nextSeq),
    hash: state.tail.hash,
  };
}

export function decodeState(metadata: Readonly<Record<string, string>>): AppliedState | null {
  const { barrier = '', nextseq = '', hash = '' } = metadata;
  const isWellFormed =
    /^\d{1,15}$/.test(barrier) && /^\d{1,15}$/.test(nextseq) && /^[0-9a-f]{64}$/.test(hash);
  return isWellFormed ? { barrier: Number(barrier), tail: { nextSeq: Number(nextseq), hash } } : null;
}
