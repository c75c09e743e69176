/** Powering a machine off so that a repeated attempt does not cut short what the first one asked for. */
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineId } from '../../domain/ids.ts';
import type { VCenterSession } from '../../domain/ports.ts';
import { supervised } from '../supervise.ts';

const POWER_LOOK_MS = 2_000;
const REPEATED_GRACE_SECONDS = 60;
const OUTCOMES = { guestShutdown: 'shutDown', poweredOff: 'poweredOff', alreadyOff: 'alreadyOff' } as const;

/** Heartbeat details: when an attempt asked the guest first. */
interface AskedToShutDown {
  readonly atMs: number;
}

export type ShutDownOutcome = (typeof OUTCOMES)[keyof typeof OUTCOMES];

/**
 * Shuts a machine down and answers only what was observed. A repeated attempt waits for the rest of the grace
 * that an earlier one gave: asking again would find VMware Tools gone and cut the power in a clean shutdown.
 */
export async function shutDown(
  openSession: () => Promise<VCenterSession>,
  machine: MachineId,
  graceSeconds: number,
): Promise<ShutDownOutcome> {
  return supervised<AskedToShutDown, ShutDownOutcome>(async (supervision) => {
    const session = await openSession();
    const asked = supervision.previous;
    if (asked === undefined) supervision.report({ atMs: Date.now() });
    supervision.flush();
    const graceEndsMs = (asked?.atMs ?? Date.now()) + graceSeconds * 1_000;
    if (asked !== undefined && (await isOffBy(session, machine, graceEndsMs, supervision.signal))) {
      return 'shutDown';
    }
    // The earlier attempt may have ended before it had asked: the guest is asked once more, with a short grace.
    const grace = asked === undefined ? graceSeconds : REPEATED_GRACE_SECONDS;
    return OUTCOMES[await session.powerOff(machine, grace, supervision.flush, supervision.signal)];
  });
}

async function isOffBy(
  session: VCenterSession,
  machine: MachineId,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  while ((await session.powerState(machine)) !== 'poweredOff') {
    if (Date.now() >= deadlineMs) return false;
    await delay(POWER_LOOK_MS, undefined, { signal });
  }
  return true;
}
