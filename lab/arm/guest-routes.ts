import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { GiB, MiB } from '../../domain/units.ts';
import { BLOCK_BYTES } from './block-map.ts';
import { ended, isRunning } from './consequences.ts';
import { guestClear, guestWrite, requireGuestDisk, requireInside } from './guest.ts';
import type { Answer, ArmRequest } from './http.ts';
import { ArmError, parseBody } from './http.ts';
import type { Workload } from './model.ts';
import type { Route } from './router.ts';
import { seededBytes } from './seeded.ts';
import type { Simulator } from './simulator.ts';
import { workloadFacts } from './workload.ts';

const PIECE_BYTES = MiB;
const place = { id: z.string(), offset: z.number().int().min(0), length: z.number().int().min(1).max(GiB) };
const writeBody = z.strictObject({ ...place, seed: z.number().int() });
const clearBody = z.strictObject(place);
const workloadBody = z.strictObject({
  machine: z.string(),
  seed: z.number().int(),
  bytesPerSecond: z.number().int().min(1),
  blockBytes: z.number().int().min(BLOCK_BYTES).max(MiB).multipleOf(BLOCK_BYTES).default(BLOCK_BYTES),
});

/** What the guest of a machine in the practice Azure does to its disks. */
export const guestRoutes: readonly Route[] = [
  { method: 'POST', pattern: '/_lab/disks/write', handler: writeBytes },
  { method: 'POST', pattern: '/_lab/disks/clear', handler: clearBytes },
  { method: 'POST', pattern: '/_lab/guest/workload', handler: startWorkload },
  { method: 'GET', pattern: '/_lab/guest/workload', handler: showWorkload },
  { method: 'DELETE', pattern: '/_lab/guest/workload', handler: stopWorkload },
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

function startWorkload(simulator: Simulator, request: ArmRequest): Answer {
  const body = parseBody(request, workloadBody);
  const vm = simulator.store.find('Microsoft.Compute/virtualMachines', body.machine);
  if (vm === undefined) throw new ArmError(404, 'ResourceNotFound', `There is no machine ${body.machine}.`);
  if (!isRunning(vm)) throw new ArmError(409, 'GuestNotRunning', `${vm.id} is ${vm.facts.power}.`);
  const since = vm.facts.disks.map(({ id }): [string, number] => [
    id,
    simulator.store.find('Microsoft.Compute/disks', id)?.facts.layers.length ?? 0,
  ]);
  const workload: Workload = { ...body, machine: vm.id, since: Object.fromEntries(since), final: null };
  simulator.store.commit([{ workload }]);
  simulator.guests.start(workload);
  return { status: 204 };
}

function showWorkload({ store, bytes }: Simulator, request: ArmRequest): Answer {
  const workload = store.workload(request.query.get('machine') ?? '');
  if (workload === undefined) return { status: 200, json: { running: false, bytes: 0, changedBlocks: 0 } };
  const figures = workload.final ?? workloadFacts(store, bytes, workload);
  return { status: 200, json: { running: workload.final === null, ...figures } };
}

function stopWorkload(simulator: Simulator, request: ArmRequest): Answer {
  const { store, bytes } = simulator;
  const workload = store.workload(request.query.get('machine') ?? '');
  if (workload?.final === null) store.commit([{ workload: ended(store, bytes, workload) }]);
  return showWorkload(simulator, request);
}
