/** A look-out for machines that must stay as they are: somebody may power one on behind our back. */
import { setTimeout as delay } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { MachineId } from '../../domain/ids.ts';
import type { VCenterSession } from '../../domain/ports.ts';
import type { HomeSight } from '../../workflows/contracts/home.ts';

/** Noticed within a minute is the promise; this leaves room for a vCenter that answers late. */
const LOOK_EVERY_MS = 5_000;
/** A vCenter that does not answer for longer sees nothing any more. */
const BLIND_AFTER_MS = 60_000;

/**
 * Answers as soon as what is seen is not `last` any more. `on` is any of them powered on; a suspended or deleted
 * machine runs nothing and is `off`. `unseen` when vCenter has been out of reach for a minute.
 */
export async function watchPower(
  openSession: () => Promise<VCenterSession>,
  watched: { readonly machineIds: readonly MachineId[]; readonly last: HomeSight; readonly endsAt: string },
  signal: AbortSignal,
  everyMs = LOOK_EVERY_MS,
  blindAfterMs = BLIND_AFTER_MS,
): Promise<HomeSight | 'sessionEnded'> {
  const endsAtMs = Date.parse(watched.endsAt);
  let seenAtMs = Date.now();
  while (Date.now() < endsAtMs) {
    const seen = await look(openSession, watched.machineIds);
    if (seen !== null) seenAtMs = Date.now();
    const sight = seen ?? (Date.now() - seenAtMs >= blindAfterMs ? 'unseen' : null);
    if (sight !== null && sight !== watched.last) return sight;
    const leftMs = endsAtMs - Date.now();
    await delay(Math.max(0, Math.min(everyMs, leftMs)), undefined, { signal });
  }
  return 'sessionEnded';
}

async function look(
  openSession: () => Promise<VCenterSession>,
  machines: readonly MachineId[],
): Promise<'on' | 'off' | null> {
  try {
    const session = await openSession();
    for (const machine of machines) {
      if ((await session.findMachine(machine))?.powerState === 'poweredOn') return 'on';
    }
    return 'off';
  } catch (error) {
    if (error instanceof DrError && error.outcome === 'retry') return null;
    throw error;
  }
}
