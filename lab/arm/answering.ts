import { APPLICATION_BYTES, decodeApplication, type Application } from '../application.ts';
import { isRunning } from './consequences.ts';
import type { Vm } from './model.ts';
import { serve, type Serving } from './serving.ts';
import type { Simulator } from './simulator.ts';
import type { Change } from './store.ts';

/** As much as Azure keeps is far more; nobody here writes that much. */
const CONSOLE_LINES_MAX = 1_000;

interface Booted {
  /** A machine that was stopped and started again is another one. */
  readonly boot: string;
  readonly console: string[];
  readonly servings: readonly Serving[];
}

/** Applications of the machines that run: each answers at its machine's addresses, from the bytes of its disk. */
export class Answering {
  readonly #simulator: () => Simulator;
  readonly #booted = new Map<string, Booted>();
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(simulator: () => Simulator) {
    this.#simulator = simulator;
  }

  /** Starts what ran before a restart. */
  resume(): void {
    this.#settleSoon();
  }

  follow(changes: readonly Change[]): void {
    const isAboutMachines = changes.some(
      (change) => 'remove' in change || ('put' in change && change.put.type.includes('virtualMachines')),
    );
    if (isAboutMachines) this.#settleSoon();
  }

  /** What the machine has written to its serial console since it was started; empty when it is off. */
  consoleOf(vmId: string): string {
    return (this.#booted.get(vmId.toLowerCase())?.console ?? []).map((line) => `${line}\n`).join('');
  }

  /** Null: the machine does not run, or its disk carries none. */
  applicationOf(vmId: string): Application | null {
    const vm = this.#simulator().store.find('Microsoft.Compute/virtualMachines', vmId);
    return isRunning(vm) && vm !== undefined ? this.#read(vm) : null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#settleSoon();
    await this.#turn;
  }

  /** One after the other: a machine's ports are free again before it starts anew. */
  #settleSoon(): void {
    this.#turn = this.#turn.then(() => this.#settle());
  }

  async #settle(): Promise<void> {
    const running = this.#isClosed
      ? []
      : this.#simulator()
          .store.ofType('Microsoft.Compute/virtualMachines')
          .filter((vm) => isRunning(vm));
    const boots = new Map(running.map((vm) => [vm.id.toLowerCase(), bootOf(vm)]));
    for (const [id, { boot, servings }] of this.#booted) {
      if (boots.get(id) === boot) continue;
      await Promise.all(servings.map((serving) => serving.close()));
      this.#booted.delete(id);
    }
    for (const vm of running) {
      const id = vm.id.toLowerCase();
      if (!this.#booted.has(id)) this.#booted.set(id, await this.#boot(vm));
    }
  }

  async #boot(vm: Vm): Promise<Booted> {
    const console: string[] = [];
    const say = (line: string) => {
      if (console.length < CONSOLE_LINES_MAX) console.push(line);
    };
    say(`practice guest of ${vm.name} starts`);
    const application = this.#read(vm);
    if (application === null) {
      say('no application on the first disk');
      return { boot: bootOf(vm), console, servings: [] };
    }
    say(`application ${application.name} found on the first disk`);
    const read = () => this.#read(vm);
    const servings = await Promise.all(
      this.#addressesOf(vm).map((address) => serve({ address, application, read, say })),
    );
    say(`application ${application.name} is ready`);
    return { boot: bootOf(vm), console, servings };
  }

  #addressesOf(vm: Vm): readonly string[] {
    const { store } = this.#simulator();
    return vm.facts.nics
      .flatMap(({ id }) => store.find('Microsoft.Network/networkInterfaces', id)?.facts.addresses ?? [])
      .map(({ address }) => address);
  }

  /** As the disk is now. */
  #read(vm: Vm): Application | null {
    const { store, bytes } = this.#simulator();
    const disk = store.find('Microsoft.Compute/disks', vm.facts.disks[0]?.id ?? '');
    if (disk === undefined || !disk.facts.isFilled) return null;
    const start = Buffer.alloc(Math.min(APPLICATION_BYTES, disk.facts.bytes));
    return decodeApplication(bytes.readInto(disk.facts.layers, 0, start));
  }
}

function bootOf({ facts }: Vm): string {
  return `${facts.vmId} ${facts.powerSince}`;
}
