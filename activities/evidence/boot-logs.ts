/**
 * The serial console logs of machines that a run has started, kept in the storage account beside the run's evidence. Only
 * their hashes travel through workflows. Polled from `steps.azure.<region>`, where Azure can be asked.
 */
import { createHash } from 'node:crypto';
import { mapBounded } from '../../dataplane/budget.ts';
import { DrError } from '../../domain/errors.ts';
import type { BootLogRecord } from '../../domain/evidence/record.ts';
import { blobNames } from '../../domain/names.ts';
import type { CloudGuests, VaultStorage } from '../../domain/ports.ts';
import type { BootLogActivities, KeepBootLogsInput } from '../../workflows/contracts/evidence.ts';
import { supervised } from '../supervise.ts';

export interface BootLogPorts {
  readonly guests: Pick<CloudGuests, 'bootLog'>;
  readonly storage: Pick<VaultStorage, 'putOnce' | 'get'>;
}

const READS_AT_ONCE = 8;
const READ_MS_MAX = 20_000;

export function createBootLogActivities(ports: BootLogPorts): BootLogActivities {
  return {
    async keepBootLogs(input) {
      const kept = await supervised(({ signal }) =>
        mapBounded(input.machines, READS_AT_ONCE, async ({ itemId, vmId }) => {
          const blob = blobNames.bootLog(input.planName, input.runId, itemId);
          return [itemId, await keep(ports, { ...input, blob, vmId }, signal)] as const;
        }),
      );
      return Object.fromEntries(kept);
    },
  };
}

/** A repeated call answers what the first has kept: the log has grown since. */
async function keep(
  { guests, storage }: BootLogPorts,
  {
    blob,
    vmId,
    bytesMax,
  }: Pick<KeepBootLogsInput, 'bytesMax'> & { readonly blob: string; readonly vmId: string },
  signal: AbortSignal,
): Promise<BootLogRecord> {
  const at = new Date().toISOString();
  try {
    const until = AbortSignal.any([signal, AbortSignal.timeout(READ_MS_MAX)]);
    const log = await guests.bootLog(vmId, bytesMax, until);
    const bytes = lastBytes(log.replaceAll('\r\n', '\n'), bytesMax);
    const made = await storage.putOnce(blob, bytes);
    const held = made === 'created' ? bytes : ((await storage.get(blob))?.body ?? bytes);
    return { at, bytes: held.byteLength, sha256: createHash('sha256').update(held).digest('hex') };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DrError) return { at, problem: error.message };
    if (error instanceof Error && error.name === 'TimeoutError') {
      return { at, problem: `Azure did not tell the log within ${READ_MS_MAX / 1_000} s` };
    }
    throw error;
  }
}

/** Whole characters. */
function lastBytes(text: string, bytesMax: number): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.byteLength <= bytesMax) return bytes;
  let from = bytes.byteLength - bytesMax;
  while (((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return bytes.subarray(from);
}
