/**
 * Going on from where an interrupted attempt was: segments it made that are durable in the account or lie complete in
 * the cache become this attempt's, as far as they are one chain from the barrier before. Each is opened and checked to
 * its last record. They keep their names and their bytes; nothing is sealed twice.
 */
import { createHash } from 'node:crypto';
import { open, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { DiskId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { ChainTail, SegmentRef } from '../../domain/replication.ts';
import {
  HEADER_BYTES,
  TRAILER_BYTES,
  decodeHeader,
  decodeTrailerCounts,
  type SegmentHeader,
} from '../segment/layout.ts';
import { readSegment } from '../segment/reader.ts';
import { readMarks } from './leftovers.ts';
import type { ShipDisk, ShipRequest } from './ship-request.ts';

export interface KeptSegment {
  readonly ref: SegmentRef;
  /** Where it lies complete; null: it is durable in the account. */
  readonly file: string | null;
}

export interface KeptStream {
  readonly segments: readonly KeptSegment[];
  /** End of the chain with them. */
  readonly tail: ChainTail;
  /** Source bytes before it are in the stream. */
  readonly offset: number;
}

export interface ResumeRequest extends Pick<ShipRequest, 'item' | 'key' | 'storage' | 'signal'> {
  readonly folder: string;
  /** Attempts that worked at the same barrier from the same frozen state. */
  readonly epochs: readonly number[];
}

type DiskToResume = Pick<ShipDisk, 'diskId' | 'capacityBytes' | 'tail'>;

interface CachedSegment {
  readonly header: SegmentHeader;
  readonly file: string;
}

interface CheckedSegment {
  readonly ref: SegmentRef;
  readonly end: number;
}

/** What a newer attempt takes over meanwhile counts as not there. */
export async function keptStream(request: ResumeRequest, disk: DiskToResume): Promise<KeptStream> {
  const { folder } = request;
  if (request.epochs.length === 0) return { segments: [], tail: disk.tail, offset: 0 };
  const cached = await cachedSegments(folder, disk.diskId);
  const stored = await storedNames(request, disk.diskId);
  const segments: KeptSegment[] = [];
  let { tail } = disk;
  let offset = 0;
  for (;;) {
    const next =
      (await nextStored(request, disk, tail, stored)) ?? (await nextCached(request, disk, tail, cached));
    if (next === null) break;
    const { ref, end, file } = next;
    segments.push({ ref, file });
    tail = { nextSeq: ref.lastSeq + 1, hash: ref.sha256 };
    offset = end;
  }
  for (const mark of await readMarks(folder)) {
    if (mark.diskId === disk.diskId && mark.nextSeq === tail.nextSeq) offset = Math.max(offset, mark.offset);
  }
  return { segments, tail, offset };
}

async function nextStored(
  request: ResumeRequest,
  disk: DiskToResume,
  tail: ChainTail,
  stored: ReadonlySet<string>,
): Promise<(CheckedSegment & { readonly file: null }) | null> {
  for (const epoch of request.epochs.toReversed()) {
    const blob = blobNames.segment(disk.diskId, epoch, tail.nextSeq);
    const found = stored.has(blob) ? await request.storage.get(blob, request.signal) : null;
    const checked = found === null ? null : checkSegment(request, disk, tail, { blob, bytes: found.body });
    if (checked !== null) return { ...checked, file: null };
  }
  return null;
}

async function nextCached(
  request: ResumeRequest,
  disk: DiskToResume,
  tail: ChainTail,
  cached: readonly CachedSegment[],
): Promise<(CheckedSegment & { readonly file: string }) | null> {
  for (const { header, file } of cached) {
    const isNext = header.firstSeq === tail.nextSeq && header.prevHash === tail.hash;
    if (!isNext || !request.epochs.includes(header.epoch)) continue;
    const blob = blobNames.segment(disk.diskId, header.epoch, header.firstSeq);
    const bytes = await readFile(file).catch(() => Buffer.alloc(0));
    const checked = checkSegment(request, disk, tail, { blob, bytes });
    if (checked !== null) return { ...checked, file };
  }
  return null;
}

/** Null: it is torn, altered, or no part of this chain. */
function checkSegment(
  { item, key }: ResumeRequest,
  { diskId, capacityBytes }: DiskToResume,
  tail: ChainTail,
  { blob, bytes }: { readonly blob: string; readonly bytes: Uint8Array },
): CheckedSegment | null {
  if (bytes.length < HEADER_BYTES + TRAILER_BYTES) return null;
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trailer = decodeTrailerCounts(body.subarray(-TRAILER_BYTES));
  if (trailer === null) return null;
  const { lastSeq, rawBytes } = trailer;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const ref = { blob, firstSeq: tail.nextSeq, lastSeq, rawBytes, wireBytes: bytes.length, sha256 };
  let end = 0;
  let writtenBytes = 0;
  try {
    for (const record of readSegment(bytes, { item, diskId, capacityBytes, ref, tail, key })) {
      end = record.offset + record.length;
      if (record.kind === 'write') writtenBytes += record.length;
    }
  } catch {
    return null;
  }
  return writtenBytes === rawBytes ? { ref, end } : null;
}

async function cachedSegments(folder: string, diskId: DiskId): Promise<readonly CachedSegment[]> {
  const found: CachedSegment[] = [];
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => each.endsWith('.seg'))) {
    const file = path.join(folder, name);
    const header = await readHeader(file).catch(() => null);
    if (header?.diskId === diskId) found.push({ header, file });
  }
  return found;
}

async function readHeader(file: string): Promise<SegmentHeader | null> {
  const handle = await open(file);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(HEADER_BYTES));
    return bytesRead === HEADER_BYTES ? decodeHeader(buffer) : null;
  } finally {
    await handle.close();
  }
}

async function storedNames(
  { storage, signal, epochs }: ResumeRequest,
  diskId: DiskId,
): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for (const epoch of epochs) {
    const folder = path.posix.dirname(blobNames.segment(diskId, epoch, 0));
    for await (const { name } of storage.list(`${folder}/`, signal)) names.add(name);
  }
  return names;
}
