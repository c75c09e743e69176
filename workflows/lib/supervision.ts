/**
 * What runs beside the main loop of an item: replication in the direction its state asks for, the watch over the RPO,
 * and the watch over a machine at home that must be off. `follow` brings all three to what the record says.
 */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { ItemSpec } from '../../domain/machine.ts';
import { watchAzure, watchHome } from './home-watch.ts';
import {
  REPLICA_DIFFERS,
  wantedDirection,
  watchesAzure,
  watchesHome,
  type ItemRecord,
} from './item-state.ts';
import type { ItemStore } from './item-store.ts';
import { now } from './job-log.ts';
import { replication, type Flow, type Replication, type SessionSide } from './replication.ts';
import { watchRpo } from './rpo-watch.ts';

const NOT_QUIESCED = 'DR_HEALTH_NOT_QUIESCED';

export interface SupervisionHooks {
  /** A session reached its planned end: a good moment to continue as new. */
  onSessionEnded(): void;
  /** Every quarter of an hour while the item replicates. */
  onQuarter(): void;
  /** What may be replicated has changed. */
  onHomeSeen(): void;
}

export class Supervision {
  readonly #store: ItemStore;
  readonly #hooks: SupervisionHooks;
  #replication: { readonly sessions: Replication; readonly flow: Flow } | undefined;
  #rpoWatch: CancellationScope | undefined;
  #quarters: CancellationScope | undefined;
  /** Over the side that must be off. */
  #watch:
    | { readonly over: 'home' | 'azure'; readonly scope: CancellationScope; readonly ended: Promise<void> }
    | undefined;

  constructor(store: ItemStore, hooks: SupervisionHooks) {
    this.#store = store;
    this.#hooks = hooks;
  }

  /** Forward sessions one at a time, for the first copy of a machine. */
  start(side: SessionSide): void {
    const { spec } = this.#store.record;
    if (spec !== undefined) this.#sessions({ direction: 'forward', item: spec }).start(side);
  }

  async follow(): Promise<void> {
    const wanted = wantedFlow(this.#store.record);
    const running = this.#replication?.flow;
    if (running !== undefined && !isSameFlow(running, wanted)) await this.stop();
    if (wanted !== null) {
      this.#sessions(wanted).start('ship');
      this.#sessions(wanted).start('apply');
      this.#rpoWatch ??= background(() => watchRpo(this.#store)).scope;
      if (wanted.item.policy.autoResync !== undefined) {
        this.#quarters ??= background(() => quarters(() => this.#hooks.onQuarter())).scope;
      }
    }
    await this.followHome();
  }

  /** The watch alone; operations that power the machine themselves must not be taken for somebody else. */
  async followHome(): Promise<void> {
    const { record } = this.#store;
    const wanted = watchesHome(record) ? 'home' : watchesAzure(record) ? 'azure' : undefined;
    if (wanted === this.#watch?.over) return;
    await this.#endWatch();
    if (wanted === 'home') {
      this.#watch = {
        over: wanted,
        ...background(() => watchHome(this.#store, () => this.#hooks.onHomeSeen())),
      };
    } else if (wanted === 'azure') {
      this.#watch = { over: wanted, ...background(() => watchAzure(this.#store)) };
    }
  }

  /** Ends replication; resolves when its sessions have ended. */
  async stop(): Promise<void> {
    this.#rpoWatch?.cancel();
    this.#rpoWatch = undefined;
    this.#quarters?.cancel();
    this.#quarters = undefined;
    const running = this.#replication;
    this.#replication = undefined;
    await running?.sessions.stop();
  }

  /** Ends everything. */
  async end(): Promise<void> {
    await this.stop();
    await this.#endWatch();
  }

  async #endWatch(): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.scope.cancel();
    await watch?.ended;
  }

  #sessions(flow: Flow): Replication {
    const store = this.#store;
    this.#replication ??= {
      flow,
      sessions: replication(flow, {
        nextSessionEpoch: () => store.nextSessionEpoch(),
        onTrouble: (side, trouble) => store.raiseTrouble(side, trouble),
        onRecovered: (side) => store.clearTrouble(side),
        onAppConsistency: ({ warning }) => {
          if (warning === undefined) store.clear(NOT_QUIESCED);
          else store.raise({ ...warning, since: now() });
        },
        onDifference: (condition) => store.raise(condition),
        isDifferenceKnown: () => store.record.conditions.some(({ type }) => type === REPLICA_DIFFERS),
        isTroubled: (side) => store.isTroubled(side),
        onSessionEnded: () => this.#hooks.onSessionEnded(),
      }),
    };
    return this.#replication.sessions;
  }
}

function wantedFlow(record: ItemRecord): Flow | null {
  const { spec, home } = record;
  const direction = wantedDirection(record);
  if (direction === null || spec === undefined) return null;
  if (direction === 'forward') return { direction, item: spec };
  return home === undefined ? null : { direction, item: spec, way: home };
}

/** Sessions were given the item when they began: new settings need new ones. */
function isSameFlow(running: Flow, wanted: Flow | null): boolean {
  if (wanted?.direction !== running.direction || !isSameItem(running.item, wanted.item)) return false;
  return running.direction === 'forward' || wanted.direction === 'forward' || running.way === wanted.way;
}

function isSameItem(a: ItemSpec, b: ItemSpec): boolean {
  return a === b;
}

async function quarters(onQuarter: () => void): Promise<never> {
  for (;;) {
    await sleep('15 minutes');
    onQuarter();
  }
}

/** Runs beside the main loop until cancelled. */
function background(work: () => Promise<never>) {
  const scope = new CancellationScope();
  const ended = scope.run(work).catch((error: unknown) => {
    if (!isCancellation(error) && !scope.consideredCancelled) throw error;
  });
  return { scope, ended };
}
