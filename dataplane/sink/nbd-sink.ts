/** A disk behind a writable NBD export, as a sink of the extent stream. */
import { DrError } from '../../domain/errors.ts';
import { splitExtent } from '../../domain/extents.ts';
import type { DiskExport, DiskSink } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { MiB } from '../../domain/units.ts';
import { Budget, mapBounded } from '../budget.ts';
import { cutAtBlocks, readInBlocks, wholeBlocks } from '../source/nbd-blocks.ts';
import type { NbdClient } from '../source/nbd-client.ts';
import { connectNbd, nbdSource } from '../source/nbd-source.ts';
import { createZeroing } from './zero-request.ts';

const WRITE_BYTES_MAX = 4 * MiB;
const REQUESTS_AT_ONCE = 16;
const PARTS_AT_ONCE = 4;

/**
 * Connects to an export that can be written to and flushed; TLS as for a source. Sixteen requests are under way at
 * once, further ones wait; they have the sizes the server asks for, and what begins or ends inside a block of it is
 * written with the rest of the block as it is. A write whose bytes change before it ends is undefined; an aborted one
 * ends the connection. `close` ends the connection; the export, and the lock it stands for, stays its owner's to close.
 * @throws DR_REPLICATION_TARGET_WRITE from what changes the disk, DR_REPLICATION_SOURCE_READ from the rest
 */
export async function openNbdSink(disk: DiskExport, signal: AbortSignal): Promise<DiskSink> {
  const client = await connectNbd(disk, signal);
  const refusal = refusalOf(client);
  if (refusal !== null) {
    await client.close();
    throw writeError(disk, 0, new Error(refusal));
  }
  return nbdSink(disk, client);
}

function nbdSink(disk: DiskExport, client: NbdClient): DiskSink {
  const { blockBytesMin } = client;
  const writeBytesMax = Math.min(WRITE_BYTES_MAX, client.payloadBytesMax);
  const slots = new Budget(REQUESTS_AT_ONCE);
  const edgeTurn = new Budget(1);
  const zeroing = createZeroing(client);

  async function send(offset: number, signal: AbortSignal, request: () => Promise<void>): Promise<void> {
    await slots.acquire(1, signal);
    try {
      await request();
    } catch (cause) {
      throw signal.aborted ? signal.reason : writeError(disk, offset, cause);
    } finally {
      slots.release(1);
    }
  }
  /** One at a time: two edges may lie in one block. */
  async function writeEdge(edge: Extent, bytes: Uint8Array | null, signal: AbortSignal): Promise<void> {
    const block = wholeBlocks(edge, blockBytesMin);
    const at = edge.offset - block.offset;
    await edgeTurn.acquire(1, signal);
    try {
      await send(edge.offset, signal, async () => {
        const whole = new Uint8Array(block.length);
        await readInBlocks(client, block.offset, whole, signal);
        if (bytes === null) whole.fill(0, at, at + edge.length);
        else whole.set(bytes, at);
        await client.write(block.offset, whole, signal);
      });
    } finally {
      edgeTurn.release(1);
    }
  }
  return {
    ...nbdSource(disk, client),
    async write(offset, bytes, signal) {
      const { body, edges } = cutAtBlocks({ offset, length: bytes.length }, blockBytesMin);
      const bytesOf = (part: Extent) =>
        bytes.subarray(part.offset - offset, part.offset - offset + part.length);
      for (const edge of edges) await writeEdge(edge, bytesOf(edge), signal);
      await inParts(body, writeBytesMax, (part) =>
        send(part.offset, signal, () => client.write(part.offset, bytesOf(part), signal)),
      );
    },
    async zero(offset, length, signal) {
      const { body, edges } = cutAtBlocks({ offset, length }, blockBytesMin);
      for (const edge of edges) await writeEdge(edge, null, signal);
      await inParts(body, zeroing.bytesMax, (part) =>
        send(part.offset, signal, () => zeroing.zero(part, signal)),
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
  range: Extent | null,
  partBytes: number,
  work: (part: Extent) => Promise<void>,
): Promise<void> {
  if (range !== null) await mapBounded([...splitExtent(range, partBytes)], PARTS_AT_ONCE, work);
}

function writeError(disk: DiskExport, offset: number, cause: unknown): DrError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DrError('DR_REPLICATION_TARGET_WRITE', { disk: disk.exportName, offset, reason }, { cause });
}
