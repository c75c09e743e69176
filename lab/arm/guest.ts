import { randomUUID } from 'node:crypto';
import { isRunning } from './consequences.ts';
import type { Disk } from './model.ts';
import { vmOfDisk } from './resources/disks.ts';
import { ArmError } from './http.ts';
import type { Range } from './range.ts';
import type { Simulator } from './simulator.ts';

/** A disk that a guest writes to right now. @throws 404, or 409 when its machine does not run or it has none */
export function requireGuestDisk(simulator: Simulator, id: string): Disk {
  const disk = simulator.store.find('Microsoft.Compute/disks', id);
  if (disk === undefined) throw new ArmError(404, 'ResourceNotFound', `There is no disk ${id}.`);
  const vm = vmOfDisk(simulator, disk.id);
  if (isRunning(vm)) return disk;
  const why = vm === undefined ? 'is attached to no machine' : `is of a machine that is ${vm.facts.power}`;
  throw new ArmError(409, 'GuestNotRunning', `The disk ${id} ${why}.`);
}

export function guestWrite(simulator: Simulator, disk: Disk, offset: number, bytes: Uint8Array): void {
  requireInside(disk, { start: offset, end: offset + bytes.length });
  noteWrite(simulator, disk, bytes.length);
  simulator.bytes.write(writableChain(simulator, disk), offset, bytes);
}

/** The guest gives blocks back (TRIM). */
export function guestClear(simulator: Simulator, disk: Disk, range: Range): void {
  requireInside(disk, range);
  noteWrite(simulator, disk, 0);
  simulator.bytes.clear(writableChain(simulator, disk), range);
}

function noteWrite(simulator: Simulator, { id }: Disk, bytes: number): void {
  const vm = vmOfDisk(simulator, id);
  if (vm !== undefined) simulator.writes.guestWrote(id, bytes, vm.facts.powerSince);
}

/** @throws 400 when the range ends after the disk */
export function requireInside(disk: Disk, { start, end }: Range): void {
  if (start >= 0 && end <= disk.facts.bytes) return;
  throw new ArmError(400, 'InvalidParameter', `The disk ${disk.id} ends at ${disk.facts.bytes}.`);
}

/** The disk's chain; with a new layer when a snapshot, another disk or the start of a workload has the last one too. */
export function writableChain(simulator: Simulator, { id }: Disk): readonly string[] {
  const disk = simulator.store.find('Microsoft.Compute/disks', id);
  if (disk === undefined) throw new ArmError(404, 'ResourceNotFound', `There is no disk ${id}.`);
  const last = disk.facts.layers.at(-1);
  if (last !== undefined && !isShared(simulator, disk, last)) return disk.facts.layers;
  const layers = [...disk.facts.layers, randomUUID()];
  simulator.store.commit([{ put: { ...disk, facts: { ...disk.facts, layers } } }]);
  return layers;
}

function isShared(simulator: Simulator, disk: Disk, layer: string): boolean {
  const others = [
    ...simulator.store.ofType('Microsoft.Compute/disks').filter((other) => other !== disk),
    ...simulator.store.ofType('Microsoft.Compute/snapshots'),
  ];
  const count = disk.facts.layers.length;
  const isMarked = simulator.store
    .workloads()
    .some(({ final, since }) => final === null && since[disk.id] === count);
  return isMarked || others.some(({ facts }) => facts.layers.includes(layer));
}
