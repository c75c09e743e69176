/** Gathers the evidence of a practice ground whenever asked, and keeps every finding. */
import type { VaultStorage } from '../../../domain/ports.ts';
import type { ProtectedItemDetail } from '../../../api/protected-items.ts';
import type { ItemState } from '../../../domain/protected-item.ts';
import { vaultStorage } from '../../../workers/ports.ts';
import { audit, type Finding, type Span } from './audit.ts';
import type { Flow } from './flow.ts';

/** States in which the source carries no snapshot of ours. */
const bare: readonly ItemState[] = ['committed', 'failedBackCommitted', 'protectedReverse', 'migrated'];

export class Auditor {
  readonly findings: Finding[] = [];
  readonly #flow: Flow;
  readonly #storage: VaultStorage;
  readonly #inventory: readonly string[];
  readonly #excused: Span[] = [];

  private constructor(flow: Flow, storage: VaultStorage, inventory: readonly string[]) {
    this.#flow = flow;
    this.#storage = storage;
    this.#inventory = inventory;
  }

  /** The machines that are on the site now are nobody's orphans. */
  static async of(flow: Flow): Promise<Auditor> {
    const { practice } = flow;
    const machines = await practice.lab.guest.machines();
    const storage = await vaultStorage(await practice.configuration());
    return new Auditor(
      flow,
      storage,
      machines.map(({ moRef }) => moRef),
    );
  }

  /** The test itself has both sides running in this span. */
  excuse(span: Span): void {
    this.#excused.push(span);
  }

  /** Waits for the item's slot; answers what was not known before. */
  async look(): Promise<Finding[]> {
    const item = await this.#flow.isFree();
    const { guest, azure } = this.#flow.practice.lab;
    const { machine } = this.#flow;
    const [machines, histories, history, resources, runBlobs] = await Promise.all([
      guest.machines(),
      guest.histories(),
      azure.history(),
      azure.resources(),
      this.#runBlobs(item),
    ]);
    const found = audit({
      machine,
      home: histories.filter((each) => each.machine === machine),
      azure: history,
      resources,
      liveRuns: liveRuns(item),
      snapshots: machines.find(({ name }) => name === machine)?.snapshots.map(({ name }) => name) ?? [],
      mayHaveSnapshot: (name) => mayHaveSnapshot(item, name),
      strangers: machines.filter(({ moRef }) => !this.#inventory.includes(moRef)).map(({ name }) => name),
      runBlobs,
      excused: this.#excused,
    });
    const known = new Set(this.findings.map(identity));
    const fresh = found.filter((each) => !known.has(identity(each)));
    this.findings.push(...fresh);
    return fresh;
  }

  /** Pins, and staged disks of runs that need them no more. */
  async #runBlobs({ state, failover, drill }: ProtectedItemDetail): Promise<string[]> {
    const [staged, pins] = await Promise.all(
      ['failover/', 'pins/'].map((prefix) => Array.fromAsync(this.#storage.list(prefix))),
    );
    const uncommitted = state === 'failedOver' ? failover?.runId : undefined;
    const left = (staged ?? []).filter(({ name }) => {
      const run = name.split('/')[1];
      return run !== uncommitted && run !== drill.runId;
    });
    return [...left, ...(pins ?? [])].map(({ name }) => name);
  }
}

function liveRuns({ failover, drill }: ProtectedItemDetail): string[] {
  return [failover?.runId, drill.state === 'none' ? undefined : drill.runId].filter(
    (run) => run !== undefined,
  );
}

/** One safety snapshot, of this way home, while the machine waits for commit. */
function mayHaveSnapshot({ state, home }: ProtectedItemDetail, name: string): boolean {
  const [, purpose, generation] = /-(home|drift)-(\d+)/.exec(name) ?? [];
  if (state === 'failedBack') return purpose === 'home' && Number(generation) === home?.generation;
  return purpose === undefined && !bare.includes(state);
}

/** An open end moves with every look. */
function identity({ kind, what }: Finding): string {
  return `${kind} ${what.replace(/ to .*$/, '')}`;
}
