/**
 * A model of the world that runbooks act on: machines at home, runs in Azure, the streams between them, and the fence.
 * It refuses what the real activities refuse, does nothing twice, and writes down every rule that was broken.
 */
import { DrError } from '../../../../domain/errors.ts';
import type { MachineId, ProtectedItemId, RunId } from '../../../../domain/ids.ts';
import type { Job } from '../../../../domain/job.ts';
import type { FenceOwner } from '../../../../dataplane/fence.ts';
import type { ItemView } from '../../../../workflows/contracts/types.ts';
import { newReverse, newRun, newState, type AzureRun, type Machine, type WorldState } from './model.ts';

/** Who calls an activity. */
export interface Call {
  readonly workflowId: string;
  /** The same for every attempt. */
  readonly activity: string;
  /** From 1. */
  readonly attempt: number;
}

export const sessionNames = [
  'shipSession',
  'applySession',
  'shipReverseSession',
  'landSession',
  'watchHome',
  'watchRpo',
] as const;
export type SessionName = (typeof sessionNames)[number];

export function isSession(name: string): name is SessionName {
  return (sessionNames as readonly string[]).includes(name);
}

export class World {
  readonly itemId: ProtectedItemId;
  state: WorldState;
  readonly violations: string[] = [];
  readonly sessions: Record<SessionName, number> = {
    shipSession: 0,
    applySession: 0,
    shipReverseSession: 0,
    landSession: 0,
    watchHome: 0,
    watchRpo: 0,
  };
  /** The newest that was shown to the catalogue. */
  item: ItemView | undefined;
  readonly jobs = new Map<string, Job>();
  /** Who hears of every job that is recorded. */
  hear: (job: Job) => void = () => undefined;
  hearItem: (view: ItemView) => void = () => undefined;
  now: () => number = () => Date.now();

  constructor(itemId: ProtectedItemId, state: WorldState = newState(itemId)) {
    this.itemId = itemId;
    this.state = structuredClone(state);
  }

  get source(): Machine {
    return this.machine(this.itemId as string as MachineId);
  }

  machine(id: MachineId): Machine {
    const machine = this.state.machines[id];
    if (machine === undefined) throw new DrError('DR_MACHINE_UNKNOWN', { machine: id });
    return machine;
  }

  run(id: RunId, mode: AzureRun['mode']): AzureRun {
    this.state.runs[id] ??= newRun(mode);
    return this.state.runs[id];
  }

  stream(id: ProtectedItemId) {
    this.state.reverse[id] ??= newReverse();
    return this.state.reverse[id];
  }

  /** Every guest that runs writes. */
  guestsWrite(): void {
    for (const machine of Object.values(this.state.machines)) {
      if (machine.power === 'on') machine.content = this.#newContent();
    }
    for (const run of Object.values(this.state.runs)) {
      if (run.vm !== 'running') continue;
      const content = this.#newContent();
      for (const disk of Object.keys(run.disks)) run.disks[disk] = content;
    }
  }

  /** Somebody powers the machine on in vCenter, and it writes. */
  powerOnBehindOurBack(machine = this.itemId as string as MachineId): void {
    this.state.isDisturbed = true;
    this.machine(machine).power = 'on';
    this.machine(machine).content = this.#newContent();
  }

  requireFence(owner: FenceOwner, number: number): void {
    const { fence } = this.state;
    if (fence.owner === owner && fence.number === number) return;
    throw this.fenceHeld(owner, number);
  }

  fenceHeld(owner: FenceOwner, number: number): DrError {
    const { fence } = this.state;
    return new DrError('DR_FENCE_HELD', {
      machine: this.itemId,
      where: owner,
      owner: fence.owner,
      number,
      held: fence.number,
    });
  }

  /** A writer older than one that has written may not write. */
  requireEpoch(stream: { epoch: number }, sessionEpoch: number): void {
    if (sessionEpoch < stream.epoch) throw this.fenced(sessionEpoch);
    stream.epoch = sessionEpoch;
  }

  fenced(epoch: number): DrError {
    return new DrError('DR_REPLICATION_FENCED', { epoch, what: 'the stream', newer: 'a newer one' });
  }

  requireNoSession(what: string, ...names: readonly SessionName[]): void {
    const running = names.filter((name) => this.sessions[name] > 0);
    if (running.length > 0) this.violate(`${what} while ${running.join(' and ')} runs`);
  }

  /** Rules that hold after every activity. */
  check(after: string): void {
    const { machines, runs, isDisturbed, mayRunTwice } = this.state;
    const home = Object.values(machines).filter(({ power }) => power === 'on');
    const azure = Object.values(runs).filter(({ mode, vm }) => mode === 'real' && vm === 'running');
    const twice = home.length + azure.length > 1;
    if (twice && !isDisturbed && !mayRunTwice) this.violate(`${after}: the machine runs twice`);
    if (azure.length > 1) this.violate(`${after}: it runs twice in Azure`);
    const { shipSession, applySession, shipReverseSession, landSession } = this.sessions;
    if (shipSession + applySession > 0 && shipReverseSession + landSession > 0) {
      this.violate(`${after}: replication runs both ways`);
    }
    for (const [name, count] of Object.entries(this.sessions)) {
      if (count > 1) this.violate(`${after}: ${count} of ${name}`);
    }
  }

  violate(rule: string): void {
    this.violations.push(rule);
  }

  #newContent(): number {
    this.state.lastContent += 1;
    return this.state.lastContent;
  }
}
