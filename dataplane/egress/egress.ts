/**
 * The one way out of a process server: every upload of every item passes here. It decides who sends next, how many
 * send at once, and how fast all of them together.
 */
import { DrError } from '../../domain/errors.ts';
import type { ProtectedItemId } from '../../domain/ids.ts';
import type { Priority } from '../../domain/machine.ts';
import type { ReplicationProgress } from '../../domain/replication.ts';
import { FairQueue } from './fair-queue.ts';
import { rateAt, rateEndsAt, UNTHROTTLED, type ThrottleSchedule } from '../../domain/throttle.ts';
import { charged, refilled, waitMs, type Bucket } from './token-bucket.ts';

/** `final`: last delta of a failover, never waits. `delta`: what keeps the RPO. `bulk`: first copies and resyncs. */
export type Traffic = 'final' | 'delta' | 'bulk';

const TRAFFIC_WEIGHT = { delta: 16, bulk: 1 } as const;
const PRIORITY_WEIGHT: Readonly<Record<Priority, number>> = { high: 4, normal: 2, low: 1 };
const UPLOADS_AT_ONCE = 8;
/** Bounds how late a change of the wall clock is noticed. */
const LOOK_AGAIN_MS = 60_000;

export interface EgressFlow {
  readonly item: ProtectedItemId;
  readonly traffic: Traffic;
  /** Default: normal. */
  readonly priority?: Priority;
}

export interface EgressClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once; what it answers takes that back. */
  after(ms: number, work: () => void): () => void;
}

export interface EgressOptions {
  readonly schedule?: ThrottleSchedule;
  /** Of all items together; a final delta comes on top. Default: 8. */
  readonly uploadsAtOnce?: number;
  readonly clock?: EgressClock;
}

interface Waiting {
  readonly flow: EgressFlow;
  readonly bytes: number;
  readonly admit: () => void;
  readonly refuse: (reason: unknown) => void;
}

export class Egress {
  readonly #schedule: ThrottleSchedule;
  readonly #clock: EgressClock;
  readonly #uploadsAtOnce: number;
  readonly #queue = new FairQueue<Waiting>();
  #bucket: Bucket;
  #underWay = 0;
  #cancelWake: (() => void) | null = null;

  constructor(options: EgressOptions = {}) {
    this.#schedule = options.schedule ?? UNTHROTTLED;
    this.#clock = options.clock ?? systemClock;
    this.#uploadsAtOnce = options.uploadsAtOnce ?? UPLOADS_AT_ONCE;
    this.#bucket = { tokens: 0, atMs: this.#clock.now() };
  }

  /**
   * Runs an upload of `bytes` when its turn has come. A caller bounds how many of its own wait.
   * @throws DR_REPLICATION_DEFERRED for a delta while the site's uploads are paused; the signal's reason
   */
  async send<R>(flow: EgressFlow, bytes: number, signal: AbortSignal, upload: () => Promise<R>): Promise<R> {
    signal.throwIfAborted();
    if (flow.traffic === 'final') {
      this.#charge(bytes);
      return upload();
    }
    await this.#turn(flow, bytes, signal);
    try {
      return await upload();
    } finally {
      this.#underWay -= 1;
      this.#admitNext();
    }
  }

  /** @throws DR_REPLICATION_DEFERRED while uploads are paused: a delta would hold its snapshot for as long */
  requireOpen(traffic: Traffic): void {
    if (traffic === 'delta' && rateAt(this.#schedule, this.#clock.now()) === 'paused') throw this.#paused();
  }

  async #turn(flow: EgressFlow, bytes: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { flow, bytes, admit: resolve, refuse: reject };
    const onAbort = () => {
      if (this.#queue.remove((each) => each === waiting).length > 0) reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#queue.push(`${flow.traffic} ${flow.item}`, weightOf(flow), bytes, waiting);
    this.#admitNext();
    await promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  #admitNext(): void {
    this.#cancelWake?.();
    this.#cancelWake = null;
    while (this.#queue.length > 0 && this.#underWay < this.#uploadsAtOnce) {
      const waitingMs = this.#waitMs();
      if (waitingMs > 0) {
        this.#cancelWake = this.#clock.after(Math.min(waitingMs, LOOK_AGAIN_MS), () => this.#admitNext());
        return;
      }
      const next = this.#queue.pop();
      if (next === undefined) return;
      this.#underWay += 1;
      this.#charge(next.bytes);
      next.admit();
    }
  }

  #waitMs(): number {
    const now = this.#clock.now();
    const rate = rateAt(this.#schedule, now);
    if (rate === 'unlimited') return 0;
    if (rate === 'paused') {
      const deltas = this.#queue.remove(({ flow }) => flow.traffic === 'delta');
      for (const { refuse } of deltas) refuse(this.#paused());
      return (rateEndsAt(this.#schedule, now) ?? Infinity) - now;
    }
    this.#bucket = refilled(this.#bucket, rate, now);
    return waitMs(this.#bucket, rate);
  }

  #charge(bytes: number): void {
    const now = this.#clock.now();
    const rate = rateAt(this.#schedule, now);
    if (typeof rate === 'number') this.#bucket = charged(refilled(this.#bucket, rate, now), bytes, rate);
  }

  #paused(): DrError {
    const endsAt = rateEndsAt(this.#schedule, this.#clock.now());
    const until = endsAt === null ? 'by the configuration' : `until ${new Date(endsAt).toISOString()}`;
    return new DrError('DR_REPLICATION_DEFERRED', { reason: `uploads of this site are paused ${until}` });
  }
}

/** First copies are bulk; a verification sends nothing. */
export function trafficOf(phase: ReplicationProgress['phase']): Traffic {
  return phase === 'initial' || phase === 'verify' ? 'bulk' : phase;
}

function weightOf({ traffic, priority = 'normal' }: EgressFlow): number {
  return traffic === 'final' ? Infinity : TRAFFIC_WEIGHT[traffic] * PRIORITY_WEIGHT[priority];
}

const systemClock: EgressClock = {
  now: () => Date.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};
