/**
 * Whether Azure disks hold what the source disks held at a recovery point. Both sides are hashed by the practice
 * ground itself: the frozen disks of its vCenter and the disks of its Azure; nothing of the product is asked.
 */
import type { Extent } from '../domain/replication.ts';
import { MiB } from '../domain/units.ts';
import type { ArmControls, VCenterControls } from '../lab/controls.ts';

const BLOCK_BYTES = MiB;

export interface VerdictInput {
  readonly guest: Pick<VCenterControls, 'hash'>;
  readonly azure: Pick<ArmControls, 'hash'>;
  readonly machine: string;
  /** The source snapshot that the recovery point was read from. */
  readonly snapshotName: string;
  readonly disks: readonly { readonly deviceKey: number; readonly azureDiskId: string }[];
}

export interface DiskVerdict {
  readonly deviceKey: number;
  readonly azureDiskId: string;
  /** Bytes of the Azure disk; the source counts as padded with zeros. */
  readonly bytes: number;
  readonly sourceSha256: string;
  readonly azureSha256: string;
  readonly equal: boolean;
  /** Runs of 1 MiB blocks that differ; empty when equal. */
  readonly differing: readonly Extent[];
}

export async function verdict(input: VerdictInput): Promise<DiskVerdict[]> {
  return Promise.all(input.disks.map((disk) => verdictOfDisk(input, disk)));
}

async function verdictOfDisk(
  { guest, azure, machine, snapshotName }: VerdictInput,
  { deviceKey, azureDiskId }: VerdictInput['disks'][number],
): Promise<DiskVerdict> {
  const target = await azure.hash(azureDiskId);
  const at = { machine, deviceKey, snapshot: snapshotName, padToBytes: target.bytes };
  const source = await guest.hash(at);
  const equal = source.sha256 === target.sha256 && source.bytes === target.bytes;
  const blocks = equal
    ? []
    : await Promise.all([
        guest.hash({ ...at, blockBytes: BLOCK_BYTES }),
        azure.hash(azureDiskId, BLOCK_BYTES),
      ]).then((both) => both.map((hash) => hash.blocks ?? []));
  return {
    deviceKey,
    azureDiskId,
    bytes: target.bytes,
    sourceSha256: source.sha256,
    azureSha256: target.sha256,
    equal,
    differing: differingRanges(blocks[0] ?? [], blocks[1] ?? [], BLOCK_BYTES),
  };
}

/** Adjacent blocks that differ become one range; a block that only one side has differs. */
export function differingRanges(
  left: readonly string[],
  right: readonly string[],
  blockBytes: number,
): Extent[] {
  const ranges: Extent[] = [];
  for (let block = 0; block < Math.max(left.length, right.length); block += 1) {
    if (left[block] === right[block]) continue;
    const offset = block * blockBytes;
    const last = ranges.at(-1);
    if (last !== undefined && last.offset + last.length === offset) {
      ranges[ranges.length - 1] = { offset: last.offset, length: last.length + blockBytes };
    } else ranges.push({ offset, length: blockBytes });
  }
  return ranges;
}
