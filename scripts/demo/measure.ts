/** What really changed on a disk, told by the practice ground: blocks of 4 KiB whose hashes differ. */
import type { ArmControls, VCenterControls } from '../../lab/controls.ts';

const BLOCK_BYTES = 4096;

/** Hashes of all blocks of a machine's disks, in disk order. */
export type DiskImage = readonly { readonly sha256: string; readonly blocks: readonly string[] }[];

export async function imageInAzure(azure: ArmControls, diskIds: readonly string[]): Promise<DiskImage> {
  return Promise.all(
    diskIds.map(async (id) => {
      const { sha256, blocks = [] } = await azure.hash(id, BLOCK_BYTES);
      return { sha256, blocks };
    }),
  );
}

/** As it is now, or as it was frozen in a snapshot; padded with zeros to the length of the disks in Azure. */
export async function imageAtHome(
  guest: VCenterControls,
  machine: string,
  disks: readonly { readonly deviceKey: number; readonly padToBytes: number }[],
  snapshot?: string,
): Promise<DiskImage> {
  return Promise.all(
    disks.map(async (disk) => {
      const at = { machine, ...disk, ...(snapshot === undefined ? {} : { snapshot }) };
      const { sha256, blocks = [] } = await guest.hash({ ...at, blockBytes: BLOCK_BYTES });
      return { sha256, blocks };
    }),
  );
}

export function isSameImage(a: DiskImage, b: DiskImage): boolean {
  return a.length > 0 && a.length === b.length && a.every((disk, i) => disk.sha256 === b[i]?.sha256);
}

/** Bytes in blocks that differ. */
export function changedBytes(before: DiskImage, after: DiskImage): number {
  let blocks = 0;
  for (const [index, disk] of after.entries()) {
    const earlier = before[index]?.blocks ?? [];
    for (const [block, hash] of disk.blocks.entries()) if (earlier[block] !== hash) blocks += 1;
  }
  return blocks * BLOCK_BYTES;
}

/** Bytes in blocks that hold anything: what a full copy would have read. */
export function usedBytes(image: DiskImage): number {
  let blocks = 0;
  for (const disk of image) {
    const counts = new Map<string, number>();
    let empty = 0;
    for (const hash of disk.blocks) {
      const count = (counts.get(hash) ?? 0) + 1;
      counts.set(hash, count);
      // The most frequent content of a disk is its empty blocks.
      empty = Math.max(empty, count);
    }
    blocks += disk.blocks.length - empty;
  }
  return blocks * BLOCK_BYTES;
}
