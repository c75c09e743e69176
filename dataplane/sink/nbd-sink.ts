/** A disk behind a writable NBD export, as a sink of the extent stream. */
import { DrError } from '../../domain/errors.ts';
import { splitExtent } from '../../domain/extents.ts';
import type { DiskExport, DiskSink } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import { Budget, mapBounded } from '../budget.ts';
import type { NbdClient } from '../source/nbd-client.ts';
import { connectNbd, nbdSource } from '../source/nbd-source.ts';

const WRITE_BYTES_MAX = 4 * MiB;
/** A server that has to write its zeros stays below the client's patience. */
const ZERO_BYTES_MAX = 64 * MiB;
const REQUESTS_AT_ONCE = 16;
const PARTS_AT_ONCE = 4;
const ZEROS = Buffer.alloc(WRITE_BYTES_MAX);

/**
 * Connects to an export that can be written to and flushed; TLS as for a source. Sixteen requests are under way at
 * once, further ones wait. A write whose bytes change before it ends is undefined; an aborted one ends the
 * connection. `close` ends the connection; the export, and the lock it stands for, stays its owner's to close.
 * @throws DR_REPLICATION_TARGET_WRITE from what changes the disk, DR_REPLICATION_SOURCE_READ from the rest
 */
export async function openNbdSink(disk: DiskExport, signal: AbortSignal): Promise<DiskSink> {
  const client = await connectNbd(disk, signal);
  const refusal = refusalOf(client);
  if (refusal !== null) {
    await client.close();
    throw writeError(disk, 0, new Error(refusal));
  }
  const slots = new Budget(REQUESTS_AT_ONCE);
  const send = async (offset: number, signal: AbortSignal, request: () => Promise<void>) => {
    await slots.acquire(1, signal);
    try {
      await request();
    } catch (cause) {
      throw signal.aborted ? signal.reason : writeError(disk, offset, cause);
    } finally {
      slots.release(1);
    }
  };
  return {
    ...nbdSource(disk, client),
    async write(offset, bytes, signal) {
      await inParts({ offset, length: bytes.length }, WRITE_BYTES_MAX, (part) => {
        const start = part.offset - offset;
        const data = bytes.subarray(start, start + part.length);
        return send(part.offset, signal, () => client.write(part.offset, data, signal));
      });
    },
    async zero(offset, length, signal) {
      const partBytes = client.canWriteZeroes ? ZERO_BYTES_MAX : WRITE_BYTES_MAX;
      await inParts({ offset, length }, partBytes, (part) =>
        send(part.offset, signal, () =>
          client.canWriteZeroes
            ? client.writeZeroes(part.offset, part.length, signal)
            : client.write(part.offset, ZEROS.subarray(0, part.length), signal),
        ),
      );
    },
    flush: (signal) => send(0, signal, () => client.flush(signal)),
  };
}

function refusalOf(client: NbdClient): string | null {
  if (client.isReadOnly) return 'the export is read-only';
  return client.canFlush ? null : 'the server cannot flush';
}

async function inParts(
  range: Extent,
  partBytes: number,
  work: (part: Extent) => Promise<void>,
): Promise<void> {
  await mapBounded([...splitExtent(range, partBytes)], PARTS_AT_ONCE, work);
}

function writeError(disk: DiskExport, offset: number, cause: unknown): DrError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DrError('DR_REPLICATION_TARGET_WRITE', { disk: disk.exportName, offset, reason }, { cause });
}
