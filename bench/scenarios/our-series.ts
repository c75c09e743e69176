/** Our side of a series of copies: a shipping process and an applying one, as in production. */
import type { BenchRun } from '../bench-run.ts';
import type { Driver } from '../driver.ts';
import type { ApplyCalls, Followed } from '../drivers/apply.ts';
import type { ShipCalls, ShipInput, Shipped } from '../drivers/ship.ts';
import type { Extent } from '../../domain/replication.ts';
import { metered, peakBytes, shippedDisk, diskIdOf, startApply, startShip, type Rig } from '../rig.ts';
import type { Metrics } from '../rows.ts';
import type { NbdExport } from '../servers.ts';

export const STREAM = '5b1c8bac-0000-4000-8000-00000000d15c';
/** The newest point only, so that old ones do not weigh on the emulator. */
export const RETENTION_HOURS = 0;

export interface SeriesOptions {
  /** Options of Node for both processes. */
  readonly nodeOptions?: readonly string[];
  readonly image?: string;
}

export class OurSeries {
  readonly #bench: BenchRun;
  readonly #rig: Rig;
  readonly #until: 'durable' | 'point';
  readonly #source: NbdExport;
  readonly shipper: Driver<ShipCalls>;
  readonly applier: Driver<ApplyCalls>;
  /** Number of the newest one. */
  barriers = 0;

  private constructor(parts: {
    readonly bench: BenchRun;
    readonly rig: Rig;
    readonly until: 'durable' | 'point';
    readonly source: NbdExport;
    readonly shipper: Driver<ShipCalls>;
    readonly applier: Driver<ApplyCalls>;
  }) {
    this.#bench = parts.bench;
    this.#rig = parts.rig;
    this.#until = parts.until;
    this.#source = parts.source;
    this.shipper = parts.shipper;
    this.applier = parts.applier;
  }

  static async open(
    bench: BenchRun,
    rig: Rig,
    until: 'durable' | 'point',
    options: SeriesOptions = {},
  ): Promise<OurSeries> {
    const { nodeOptions = [] } = options;
    const source = await rig.exportImage(options.image ?? bench.image);
    const shipper = await startShip(rig, { nodeOptions });
    const applier = await startApply(rig, { nodeOptions });
    await shipper.call('prepare', { stream: STREAM });
    return new OurSeries({ bench, rig, until, source, shipper, applier });
  }

  get sourcePid(): number {
    return this.#source.pid;
  }

  first(): Promise<Metrics> {
    return this.#copy('initial', [{ offset: 0, length: this.#bench.original.bytes }]);
  }

  delta(changed: readonly Extent[]): Promise<Metrics> {
    return this.#copy('delta', changed);
  }

  /** Applies what is left and compares the newest point with what the image held. @throws Error when it differs */
  async verify(sha256: string): Promise<void> {
    if (this.#until === 'durable') await this.follow(this.barriers);
    const disk = { diskId: diskIdOf(0), capacityBytes: this.#bench.original.bytes };
    const held = await this.applier.call('hash', { stream: STREAM, disk });
    if (held !== sha256) throw new Error(`our recovery point holds other bytes than the disk: ${held}`);
  }

  async #copy(cycle: ShipInput['cycle'], changed: readonly Extent[]): Promise<Metrics> {
    const { result, metrics } = await metered(
      {
        namespace: this.#rig.namespace,
        pids: { server: this.#rig.azurite.pid, source: this.#source.pid },
      },
      () => (this.#until === 'point' ? this.#untilPoint(cycle, changed) : this.#untilDurable(cycle, changed)),
    );
    return { ...metrics, ...result };
  }

  async #untilDurable(cycle: ShipInput['cycle'], changed: readonly Extent[]): Promise<Metrics> {
    const shipped = await this.ship(cycle, changed);
    const { wallSeconds, payloadBytes, cpuSeconds } = shipped;
    return {
      wallSeconds,
      payloadBytes,
      clientCpuSeconds: cpuSeconds,
      clientRssBytes: peakBytes(this.shipper.pid),
    };
  }

  async #untilPoint(cycle: ShipInput['cycle'], changed: readonly Extent[]): Promise<Metrics> {
    const following = this.follow(this.barriers + 1);
    const [shipped, followed] = await Promise.all([this.ship(cycle, changed), following]);
    return {
      wallSeconds: (followed.endedAt - shipped.startedAt) / 1_000,
      durableSeconds: shipped.wallSeconds,
      payloadBytes: shipped.payloadBytes,
      clientCpuSeconds: shipped.cpuSeconds + followed.cpuSeconds,
      shipCpuSeconds: shipped.cpuSeconds,
      applyCpuSeconds: followed.cpuSeconds,
      clientRssBytes: Math.max(peakBytes(this.shipper.pid), peakBytes(this.applier.pid)),
    };
  }

  /** Only ships, whatever the series is for. */
  async ship(cycle: ShipInput['cycle'], changed: readonly Extent[]): Promise<Shipped> {
    const shipped = await this.shipper.call('ship', {
      stream: STREAM,
      cycle,
      disks: [shippedDisk(0, this.#bench.original.bytes, this.#source.socketPath, changed)],
      sourceTime: new Date().toISOString(),
    });
    this.barriers = shipped.barrierNumber;
    return shipped;
  }

  /** As `FollowInput` says. */
  follow(untilPoint: number | null): Promise<Followed> {
    return this.applier.call('follow', {
      stream: STREAM,
      disks: [{ diskId: diskIdOf(0), capacityBytes: this.#bench.original.bytes }],
      untilPoint,
      retentionHours: RETENTION_HOURS,
    });
  }
}
