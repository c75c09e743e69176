/**
 * Negative control: points as a stream would make them that lost or mixed up something. The product refuses such streams by
 * name; here its chain is passed by and records are written to copies of the images, so that only the database can notice.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { DiskId } from '../../domain/ids.ts';
import type { Barrier, Extent } from '../../domain/replication.ts';
import { copyImages } from './images.ts';
import type { Recovery } from './recovery.ts';
import type { KeptStream } from './stream.ts';

/** What is known of a point. */
export interface PointFacts {
  readonly barrierNumber: number;
  readonly images: readonly string[];
  readonly recovery: Recovery | null;
}

export interface Victim {
  /** Three points, one after the other. */
  readonly points: readonly [PointFacts, PointFacts, PointFacts];
  readonly stream: KeptStream;
  /** In the order of the images: tables, then the log. */
  readonly diskIds: readonly [DiskId, DiskId];
}

/** Changes copies of images; a victim it cannot be done to answers null. */
export type Sabotage = (
  victim: Victim,
  pick: (count: number) => number,
  folder: string,
) => Promise<Spoilt | null>;

export interface Spoilt {
  readonly images: readonly string[];
  readonly what: string;
}

const PAGE_BYTES = 8192;
const DATA = 0;
const WAL = 1;
type Disk = typeof DATA | typeof WAL;

export const sabotages = {
  'a record of the log is left out': (victim, pick, folder) =>
    leaveOut(victim, WAL, victim.points[2].recovery?.log ?? [], pick, folder),
  'a record of a table is left out': (victim, pick, folder) =>
    leaveOut(victim, DATA, victim.points[2].recovery?.settled ?? [], pick, folder),
  'two barriers change places': async ({ points, stream, diskIds }, _, folder) => {
    const [before, first, second] = points;
    const earlier = stream.between(before.barrierNumber, first.barrierNumber);
    const later = stream.between(first.barrierNumber, second.barrierNumber);
    if (earlier === null || later === null) return null;
    const images = await copyImages(before.images, folder);
    await write(stream, [...later, ...earlier], diskIds, images);
    return { images, what: `barrier ${second.barrierNumber} before ${first.barrierNumber}` };
  },
  'the log’s disk is a point behind': async ({ points }, _, folder) => {
    const [, before, point] = points;
    const images = await copyImages([point.images[DATA] ?? '', before.images[WAL] ?? ''], folder);
    return { images, what: `tables of barrier ${point.barrierNumber}, log of ${before.barrierNumber}` };
  },
} as const satisfies Readonly<Record<string, Sabotage>>;

export type SabotageName = keyof typeof sabotages;

/** The stream applied whole: what the control's own way of writing makes of it. */
export async function applied({ points, stream, diskIds }: Victim, folder: string): Promise<string[] | null> {
  const [, before, point] = points;
  const barriers = stream.between(before.barrierNumber, point.barrierNumber);
  if (barriers === null) return null;
  const images = await copyImages(before.images, folder);
  await write(stream, barriers, diskIds, images);
  return images;
}

/** One record that changes something in `places` is not written; all others of the point are. */
async function leaveOut(
  { points, stream, diskIds }: Victim,
  disk: Disk,
  places: readonly Extent[],
  pick: (count: number) => number,
  folder: string,
): Promise<Spoilt | null> {
  const [, before, point] = points;
  const barriers = stream.between(before.barrierNumber, point.barrierNumber);
  if (barriers === null) return null;
  const changed = await changedPages({ points, stream, diskIds }, disk, places);
  const candidates: { readonly barrier: Barrier; readonly index: number; readonly extent: Extent }[] = [];
  for (const barrier of barriers) {
    let index = 0;
    for await (const { offset, length } of stream.records(barrier, diskIds[disk])) {
      const extent = { offset, length };
      if (changed.some((page) => overlaps(page, extent))) candidates.push({ barrier, index, extent });
      index += 1;
    }
  }
  const chosen = candidates[pick(candidates.length)];
  if (chosen === undefined) return null;
  const images = await copyImages(before.images, folder);
  await write(stream, barriers, diskIds, images, { ...chosen, disk });
  const { offset, length } = chosen.extent;
  const of = `${candidates.length} of its kind`;
  return {
    images,
    what: `record ${chosen.index} of barrier ${chosen.barrier.number}, ${length} bytes at ${offset}, one of ${of}`,
  };
}

async function write(
  stream: KeptStream,
  barriers: readonly Barrier[],
  diskIds: readonly DiskId[],
  images: readonly string[],
  leftOut?: { readonly barrier: Barrier; readonly disk: number; readonly index: number },
): Promise<void> {
  for (const [disk, diskId] of diskIds.entries()) {
    const image = await open(images[disk] ?? '', 'r+');
    try {
      for (const barrier of barriers) {
        let index = 0;
        for await (const record of stream.records(barrier, diskId)) {
          const isLeftOut = leftOut?.barrier === barrier && leftOut.disk === disk && leftOut.index === index;
          const bytes = record.kind === 'write' ? record.data : Buffer.alloc(record.length);
          if (!isLeftOut) await image.write(bytes, 0, record.length, record.offset);
          index += 1;
        }
      }
    } finally {
      await image.close();
    }
  }
}

/** The pages in these places that differ from the point before. */
async function changedPages(
  { points: [, before, point] }: Victim,
  disk: Disk,
  places: readonly Extent[],
): Promise<Extent[]> {
  const [old, now] = await Promise.all([before, point].map(({ images }) => open(images[disk] ?? '', 'r')));
  if (old === undefined || now === undefined) return [];
  try {
    const pages: Extent[] = [];
    for (const place of places) {
      const end = place.offset + place.length;
      for (let offset = place.offset; offset < end; offset += PAGE_BYTES) {
        const length = Math.min(PAGE_BYTES, end - offset);
        const [was, is] = [await bytesAt(old, offset, length), await bytesAt(now, offset, length)];
        if (!was.equals(is)) pages.push({ offset, length });
      }
    }
    return pages;
  } finally {
    await Promise.all([old.close(), now.close()]);
  }
}

async function bytesAt(image: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  await image.read(bytes, 0, length, offset);
  return bytes;
}

function overlaps(a: Extent, b: Extent): boolean {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}
