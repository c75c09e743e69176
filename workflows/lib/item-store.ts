/** The entity's mutable part: one record, one operation slot, and the projection that shows both. */
import { raise, type Condition } from '../../domain/health.ts';
import { decide, type ItemOperation, type Permission } from '../../domain/protected-item.ts';
import type { ItemView } from '../contracts/types.ts';
import { refusal } from './failures.ts';
import {
  changed,
  itemView,
  situation,
  type ItemChanges,
  type ItemRecord,
  type RunningOperation,
} from './item-state.ts';
import { projection } from './projection.ts';
import { catalogue } from './proxies.ts';
import type { SessionSide } from './replication.ts';

export class ItemStore {
  /** Operation that runs. */
  running: RunningOperation | undefined;
  /** Operation that was accepted and runs next. */
  booked: RunningOperation | undefined;
  #record: ItemRecord;
  #revision = Date.now();
  readonly #shown = projection<ItemView>((view) => catalogue.recordItem({ view }));

  constructor(record: ItemRecord) {
    this.#record = record;
  }

  get record(): ItemRecord {
    return this.#record;
  }

  change(next: ItemChanges): void {
    this.#record = changed(this.#record, next);
    this.#revision = Math.max(this.#revision + 1, Date.now());
    this.#shown.show(this.view());
  }

  view(): ItemView {
    return itemView(this.#record, this.booked ?? this.running, this.#revision);
  }

  /** Resolves when the catalogue shows the newest state, or gives up after a bound. */
  settled(): Promise<void> {
    return this.#shown.settled();
  }

  /** Never the same number twice, over all runs of this item. */
  nextSessionEpoch(): number {
    const sessionEpoch = this.#record.sessionEpoch + 1;
    this.#record = { ...this.#record, sessionEpoch };
    return sessionEpoch;
  }

  /** @throws an ApplicationFailure that refuses the update */
  permit(operation: ItemOperation): Permission {
    const holding = this.booked ?? this.running;
    const verdict = decide(situation(this.#record, holding), operation);
    if (verdict.allowed) return verdict;
    throw refusal(verdict.code, {
      operation,
      item: this.#record.protect.machineName,
      machine: this.#record.protect.machineName,
      reason: verdict.reason,
      state: this.#record.state,
      choice: 'latest',
      running: holding?.operation ?? '',
      job: holding?.operationId ?? '',
    });
  }

  /** At most one condition per side; the type says which side it is. The same trouble again changes nothing. */
  raiseTrouble(side: SessionSide, trouble: Condition): void {
    const type = `${side}:${trouble.type}`;
    const shown = this.#record.conditions.find((each) => each.type === type);
    if (shown?.reason === trouble.reason) return;
    this.change({ conditions: raise(this.#withoutSide(side, trouble.type), { ...trouble, type }) });
  }

  isTroubled(side: SessionSide): boolean {
    return this.#record.conditions.some((each) => each.type.startsWith(`${side}:`));
  }

  raise(condition: Condition): void {
    const shown = this.#record.conditions.find((each) => each.type === condition.type);
    if (shown?.reason === condition.reason) return;
    this.change({ conditions: raise(this.#record.conditions, condition) });
  }

  clear(...types: readonly string[]): void {
    if (!this.#record.conditions.some((each) => types.includes(each.type))) return;
    this.change({ conditions: this.#record.conditions.filter((each) => !types.includes(each.type)) });
  }

  clearTrouble(side: SessionSide): void {
    this.change({ conditions: this.#withoutSide(side) });
  }

  #withoutSide(side: SessionSide, butType?: string): Condition[] {
    return this.#record.conditions.filter(
      (each) => !each.type.startsWith(`${side}:`) || each.type === `${side}:${butType}`,
    );
  }
}
