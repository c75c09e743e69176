/** A disk behind an NBD export, as a source of the extent stream. */
import { isIP } from 'node:net';
import { DrError } from '../../domain/errors.ts';
import { coalesceExtents, extentEnd, intersectExtent } from '../../domain/extents.ts';
import type { DiskExport, DiskSource } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { SECTOR_BYTES, roundUp } from '../../domain/units.ts';
import { readInBlocks, wholeBlocks } from './nbd-blocks.ts';
import { NbdClient } from './nbd-client.ts';

/**
 * Connects and negotiates. `close` ends the connection; the export stays its owner's to close.
 * Plain TCP is accepted to a loopback address only.
 * @throws DR_REPLICATION_SOURCE_READ, here and from every method
 */
export async function openNbdSource(disk: DiskExport, signal: AbortSignal): Promise<DiskSource> {
  return nbdSource(disk, await connectNbd(disk, signal));
}

/** @throws DR_REPLICATION_SOURCE_READ */
export async function connectNbd(disk: DiskExport, signal: AbortSignal): Promise<NbdClient> {
  if (!isProtected(disk)) {
    const reason = `plain NBD to ${disk.host} is refused, only TLS may leave this host`;
    throw readError(disk.exportName, 0, new Error(reason));
  }
  return translated(disk, 0, signal, () => NbdClient.open(disk, signal));
}

export function nbdSource(disk: DiskExport, client: NbdClient): DiskSource {
  return {
    capacityBytes: client.bytes,
    read: (offset, into, signal) =>
      translated(disk, offset, signal, () => readInBlocks(client, offset, into, signal)),
    dataExtents: (range, signal) =>
      translated(disk, range.offset, signal, () => dataExtents(client, range, signal)),
    close: () => client.close(),
  };
}

async function translated<T>(
  disk: DiskExport,
  offset: number,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw signal.aborted ? signal.reason : readError(disk.exportName, offset, cause);
  }
}

async function dataExtents(client: NbdClient, range: Extent, signal: AbortSignal): Promise<Extent[]> {
  if (!client.tellsBlockStatus) return [range];
  const found: Extent[] = [];
  for (let at = range.offset; at < extentEnd(range);) {
    const rest = { offset: at, length: extentEnd(range) - at };
    const status = await client.blockStatus(wholeBlocks(rest, client.blockBytesMin), signal);
    const last = status.at(-1);
    if (last === undefined || extentEnd(last) <= at) throw new Error('the server tells no block status');
    for (const extent of status) {
      const inside = extent.readsAsZero ? null : intersectExtent(wholeSectors(extent), rest);
      if (inside !== null) found.push(inside);
    }
    at = extentEnd(last);
  }
  return coalesceExtents(found, 0);
}

function wholeSectors(extent: Extent): Extent {
  const offset = Math.floor(extent.offset / SECTOR_BYTES) * SECTOR_BYTES;
  return { offset, length: roundUp(extentEnd(extent), SECTOR_BYTES) - offset };
}

function isProtected(disk: DiskExport): boolean {
  if (disk.socketPath !== undefined || disk.tlsCertificate !== undefined) return true;
  const { host } = disk;
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function readError(disk: string, offset: number, cause: unknown): DrError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DrError('DR_REPLICATION_SOURCE_READ', { disk, offset, reason }, { cause });
}
