import { isRunning } from './consequences.ts';
import { writableChain } from './guest.ts';
import type { Disk, Workload } from './model.ts';
import { seededBytes, seededNumbers } from './seeded.ts';
import type { Simulator } from './simulator.ts';
import { workloadFacts } from './workload.ts';

const TICK_MS = 20;

/** Guests that write at random places of their machines' disks, a block at a time, while the machine runs. */
export class Guests {
  readonly #simulator: () => Simulator;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(simulator: () => Simulator) {
    this.#simulator = simulator;
  }

  /** Begins what the store says of this machine; a workload under way is replaced. */
  start(workload: Workload): void {
    const key = workload.machine.toLowerCase();
    clearInterval(this.#timers.get(key));
    const { store, bytes } = this.#simulator();
    // After a restart the places differ from those before it.
    const random = seededNumbers(workload.seed + workloadFacts(store, bytes, workload).bytes);
    let [last, owed] = [performance.now(), 0];
    const timer = setInterval(() => {
      if (store.workload(workload.machine) !== workload) {
        clearInterval(timer);
        return;
      }
      const now = performance.now();
      const due = owed + ((now - last) / 1_000) * workload.bytesPerSecond;
      owed = Math.min(due, Math.max(workload.bytesPerSecond, workload.blockBytes));
      last = now;
      const blocks = Math.floor(owed / workload.blockBytes);
      owed -= blocks * workload.blockBytes;
      writeBlocks(this.#simulator(), workload, { blocks, random });
    }, TICK_MS);
    this.#timers.set(key, timer);
  }

  /** Goes on after a restart. */
  resume(): void {
    for (const workload of this.#simulator().store.workloads()) {
      if (workload.final === null) this.start(workload);
    }
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearInterval(timer);
  }
}

function writeBlocks(
  simulator: Simulator,
  { machine, blockBytes }: Workload,
  { blocks, random }: { readonly blocks: number; readonly random: (limit: number) => number },
): void {
  const vm = simulator.store.find('Microsoft.Compute/virtualMachines', machine);
  if (vm === undefined || !isRunning(vm)) return;
  const disks = vm.facts.disks.flatMap(({ id }) => simulator.store.find('Microsoft.Compute/disks', id) ?? []);
  const written = new Map<Disk, number>();
  const chains = new Map<Disk, readonly string[]>();
  for (let count = 0; count < blocks; count++) {
    const disk = disks[random(disks.length)];
    if (disk === undefined) return;
    const chain = chains.get(disk) ?? writableChain(simulator, disk);
    chains.set(disk, chain);
    const offset = random(Math.floor(disk.facts.bytes / blockBytes)) * blockBytes;
    simulator.bytes.write(chain, offset, seededBytes(random(2 ** 32), blockBytes));
    written.set(disk, (written.get(disk) ?? 0) + blockBytes);
  }
  for (const [{ id }, bytes] of written) simulator.writes.guestWrote(id, bytes, vm.facts.powerSince);
}
