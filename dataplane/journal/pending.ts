/** Barriers that are durable and not taken in yet. */
import { DrError } from '../../domain/errors.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { Barrier, SegmentRef } from '../../domain/replication.ts';
import type { ItemKey } from '../keys.ts';
import { barrierNumbers, readBarrier } from './barriers.ts';

const BARRIERS_MAX = 64;

export interface PendingRequest {
  readonly item: ProtectedItemId;
  readonly storage: VaultStorage;
  readonly signal: AbortSignal;
  readonly key: ItemKey;
  /** Nothing behind this barrier. */
  readonly upToBarrier?: number;
  /** Barriers at most. Default: 64. */
  readonly barriersMax?: number;
}

/** Barriers behind number `after`, ascending. @throws DR_JOURNAL_GAP when one is missing among them, altered or forged */
export async function readPending(
  request: PendingRequest,
  after: number,
): Promise<{ readonly pending: Barrier[]; readonly newest: number }> {
  const { storage, item, signal, key } = request;
  const newest = (await barrierNumbers(storage, item, signal)).at(-1) ?? 0;
  const last = Math.min(newest, request.upToBarrier ?? newest, after + (request.barriersMax ?? BARRIERS_MAX));
  const pending: Barrier[] = [];
  for (let number = after + 1; number <= last; number += 1) {
    const barrier = await readBarrier(storage, item, number, signal, key);
    if (barrier === null) {
      const reason = `barrier ${number} does not exist, ${newest} does`;
      throw new DrError('DR_JOURNAL_GAP', { item, reason });
    }
    pending.push(barrier);
  }
  return { pending, newest };
}

/** How far a call has come with its barriers. */
export interface ApplyProgress {
  /** Of a stream that is landed: the last barrier that is whole on the disks. */
  readonly appliedBarrier: number;
  readonly pendingBarriers: number;
  /** Wire bytes of segments, applied by this call. */
  readonly appliedBytes: number;
  /** Wire bytes of segments this call will still apply. */
  readonly pendingBytes: number;
  readonly lag: ApplyLag;
}

/** How far what is applied is behind what is durable. */
export interface ApplyLag {
  /** Wire bytes; of barriers beyond those this call takes, estimated by these. */
  readonly bytes: number;
  /** Since the oldest barrier that is not applied was durable, by its clock; beyond this call, since the call's last one was. */
  readonly seconds: number;
}

/** Adds up and tells. */
export class BarrierMeter {
  readonly #onProgress: (progress: ApplyProgress) => void;
  readonly #waiting: Barrier[];
  /** Durable too, but not for this call. */
  readonly #beyondBytes: number;
  readonly #last: Barrier | undefined;
  #appliedBarrier: number;
  #appliedBytes = 0;
  #pendingBytes: number;

  /** `newest` is the last barrier that is durable. */
  constructor(pending: readonly Barrier[], newest: number, onProgress: (progress: ApplyProgress) => void) {
    this.#onProgress = onProgress;
    this.#waiting = [...pending];
    this.#last = pending.at(-1);
    this.#appliedBarrier = (pending[0]?.number ?? 1) - 1;
    this.#pendingBytes = pending
      .flatMap((barrier) => barrier.disks)
      .flatMap((disk) => disk.segments)
      .reduce((sum, segment) => sum + segment.wireBytes, 0);
    const beyond = Math.max(0, newest - (pending.at(-1)?.number ?? newest));
    this.#beyondBytes = beyond === 0 ? 0 : Math.round((beyond * this.#pendingBytes) / pending.length);
  }

  segmentApplied({ wireBytes }: Pick<SegmentRef, 'wireBytes'>): void {
    this.#appliedBytes += wireBytes;
    this.#pendingBytes -= wireBytes;
    this.tell();
  }

  barrierApplied(number: number): void {
    this.#appliedBarrier = number;
    while (this.#waiting[0] !== undefined && this.#waiting[0].number <= number) this.#waiting.shift();
    this.tell();
  }

  get lag(): ApplyLag {
    const oldest = this.#waiting[0] ?? this.#last;
    const isBehind = this.#waiting.length > 0 || this.#beyondBytes > 0;
    const seconds =
      isBehind && oldest !== undefined ? (Date.now() - Date.parse(oldest.durableTime)) / 1_000 : 0;
    return { bytes: this.#pendingBytes + this.#beyondBytes, seconds: Math.max(0, seconds) };
  }

  tell(): void {
    this.#onProgress({
      appliedBarrier: this.#appliedBarrier,
      pendingBarriers: this.#waiting.length,
      appliedBytes: this.#appliedBytes,
      pendingBytes: this.#pendingBytes,
      lag: this.lag,
    });
  }
}
