/** The disks of a recovery point, taken from its page-blob snapshots by Azure's own client, as image files. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BlobServiceClient, StorageSharedKeyCredential, type ContainerClient } from '@azure/storage-blob';
import type { RecoveryPointView } from '../../api/replication.ts';
import type { Config } from '../../config/load.ts';
import { must } from './tools.ts';

const PIECE_BYTES = 4 * 2 ** 20;
const PAGE_BYTES = 512;

export async function containerOf({ storage }: Config): Promise<ContainerClient> {
  const { accountUrl, container, sharedKey } = storage;
  if (sharedKey === undefined) throw new Error('a practice ground has a shared key');
  const key = (await readFile(sharedKey.keyFile, 'utf8')).trim();
  const credential = new StorageSharedKeyCredential(sharedKey.accountName, key);
  return new BlobServiceClient(accountUrl, credential).getContainerClient(container);
}

/** One sparse image for each disk, in the order of `diskIds`, without the footer of the VHD. */
export async function downloadPoint(
  container: ContainerClient,
  point: RecoveryPointView,
  diskIds: readonly string[],
  folder: string,
): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const [index, diskId] of diskIds.entries()) {
    const disk = point.disks.find((each) => each.diskId === diskId);
    if (disk === undefined) throw new Error(`point ${point.pointId} lacks disk ${diskId}`);
    const blob = container.getPageBlobClient(disk.replicaBlob).withSnapshot(disk.snapshotId);
    const file = join(folder, `${index}.img`);
    await downloadDisk(blob, disk.capacityBytes, file);
    files.push(file);
  }
  return files;
}

async function downloadDisk(
  blob: ReturnType<ContainerClient['getPageBlobClient']>,
  bytes: number,
  file: string,
): Promise<void> {
  const image = await open(file, 'wx');
  try {
    await image.truncate(bytes);
    for await (const { start, end } of blob.listPageRanges()) {
      // The client's `end` names the last byte.
      const until = Math.min(Math.ceil((end + 1) / PAGE_BYTES) * PAGE_BYTES, bytes);
      for (let at = start; at < until; at += PIECE_BYTES) {
        const piece = await blob.downloadToBuffer(at, Math.min(PIECE_BYTES, until - at));
        await image.write(piece, 0, piece.length, at);
      }
    }
  } finally {
    await image.close();
  }
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: PIECE_BYTES }), hash);
  return hash.digest('hex');
}

/** Copies that may be written to, with holes where the originals have them. */
export async function copyImages(files: readonly string[], folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const copies = files.map((_, index) => join(folder, `${index}.img`));
  for (const [index, file] of files.entries()) {
    await must('cp', ['--reflink=auto', '--sparse=always', file, copies[index] ?? '']);
  }
  return copies;
}
