/**
 * How a range comes to read as zeros. By command where the server has one: no byte travels, and it may punch a hole,
 * which keeps a thin disk thin. Fast first: a server that would have to write its zeros says so at once, and is then
 * asked in parts that it writes before anybody loses patience. Last the zeros are sent. Never by TRIM: what it leaves
 * may be the old bytes (github.com/NetworkBlockDevice/nbd, doc/proto.md).
 */
import { splitExtent } from '../../domain/extents.ts';
import type { Extent } from '../../domain/replication.ts';
import { GiB, MiB } from '../../domain/units.ts';
import type { NbdClient } from '../source/nbd-client.ts';
import { NbdRefusal } from '../source/nbd-protocol.ts';

const FAST_BYTES_MAX = GiB;
const SLOW_BYTES_MAX = 64 * MiB;
const ZEROS = Buffer.alloc(4 * MiB);

export interface Zeroing {
  /** Of one call of `zero`. */
  readonly bytesMax: number;
  zero(range: Extent, signal: AbortSignal): Promise<void>;
}

/** What the server refused once it is not asked again. */
export function createZeroing(client: NbdClient): Zeroing {
  const bytesMax = client.canZeroFast ? FAST_BYTES_MAX : SLOW_BYTES_MAX;
  const sentBytesMax = Math.min(ZEROS.length, client.payloadBytesMax);
  let { canZeroFast, canWriteZeroes } = client;

  async function fast({ offset, length }: Extent, signal: AbortSignal): Promise<boolean> {
    canZeroFast &&= await isTaken(client.writeZeroes(offset, length, { signal, isFast: true }));
    return canZeroFast;
  }
  async function slow({ offset, length }: Extent, signal: AbortSignal): Promise<boolean> {
    canWriteZeroes &&= await isTaken(client.writeZeroes(offset, length, { signal }));
    return canWriteZeroes;
  }
  return {
    bytesMax,
    async zero(range, signal) {
      if (await fast(range, signal)) return;
      for (const part of splitExtent(range, SLOW_BYTES_MAX)) {
        if (await slow(part, signal)) continue;
        for (const { offset, length } of splitExtent(part, sentBytesMax)) {
          await client.write(offset, ZEROS.subarray(0, length), signal);
        }
      }
    },
  };
}

/** False: the server does not do that. */
async function isTaken(request: Promise<void>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (error instanceof NbdRefusal && error.code === 'ENOTSUP') return false;
    throw error;
  }
}
