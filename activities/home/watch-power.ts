/** A look-out for a machine that must stay as it is: somebody may power it on behind our back. */
import { setTimeout as delay } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { MachineId } from '../../domain/ids.ts';
import type { VCenterSession } from '../../domain/ports.ts';

/** Noticed within a minute is the promise; this leaves room for a vCenter that answers late. */
const LOOK_EVERY_MS = 5_000;

/**
 * Answers as soon as the machine is not `last` any more. `on` is powered on; a suspended or deleted machine runs
 * nothing and is `off`. A vCenter out of reach says nothing: it is asked again until `endsAt`.
 */
export async function watchPower(
  openSession: () => Promise<VCenterSession>,
  watched: { readonly machineId: MachineId; readonly last: 'on' | 'off'; readonly endsAt: string },
  signal: AbortSignal,
  everyMs = LOOK_EVERY_MS,
): Promise<'on' | 'off' | 'sessionEnded'> {
  const endsAtMs = Date.parse(watched.endsAt);
  while (Date.now() < endsAtMs) {
    const seen = await look(openSession, watched.machineId);
    if (seen !== null && seen !== watched.last) return seen;
    const leftMs = endsAtMs - Date.now();
    await delay(Math.max(0, Math.min(everyMs, leftMs)), undefined, { signal });
  }
  return 'sessionEnded';
}

async function look(
  openSession: () => Promise<VCenterSession>,
  machine: MachineId,
): Promise<'on' | 'off' | null> {
  try {
    const found = await (await openSession()).findMachine(machine);
    return found?.powerState === 'poweredOn' ? 'on' : 'off';
  } catch (error) {
    if (error instanceof DrError && error.outcome === 'retry') return null;
    throw error;
  }
}
