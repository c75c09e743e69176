import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { GiB, MiB } from '../../domain/units.ts';
import { guestClear, guestWrite, requireGuestDisk, requireInside } from './guest.ts';
import type { Answer, ArmRequest } from './http.ts';
import { parseBody } from './http.ts';
import type { Route } from './router.ts';
import { seededBytes } from './seeded.ts';
import type { Simulator } from './simulator.ts';

const PIECE_BYTES = MiB;
const place = { id: z.string(), offset: z.number().int().min(0), length: z.number().int().min(1).max(GiB) };
const writeBody = z.strictObject({ ...place, seed: z.number().int() });
const clearBody = z.strictObject(place);

/** What the guest of a machine in the practice Azure does to its disks. */
export const guestRoutes: readonly Route[] = [
  { method: 'POST', pattern: '/_lab/disks/write', handler: writeBytes },
  { method: 'POST', pattern: '/_lab/disks/clear', handler: clearBytes },
];

/** In pieces, so that others are served and a snapshot taken meanwhile holds a part of it, as on a real disk. */
async function writeBytes(simulator: Simulator, request: ArmRequest): Promise<Answer> {
  const { id, offset, length, seed } = parseBody(request, writeBody);
  requireInside(requireGuestDisk(simulator, id), { start: offset, end: offset + length });
  const bytes = seededBytes(seed, length);
  for (let at = 0; at < length; at += PIECE_BYTES) {
    guestWrite(simulator, requireGuestDisk(simulator, id), offset + at, bytes.subarray(at, at + PIECE_BYTES));
    await setImmediate();
  }
  return { status: 204 };
}

function clearBytes(simulator: Simulator, request: ArmRequest): Answer {
  const { id, offset, length } = parseBody(request, clearBody);
  guestClear(simulator, requireGuestDisk(simulator, id), { start: offset, end: offset + length });
  return { status: 204 };
}
