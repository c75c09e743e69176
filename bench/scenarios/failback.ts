/** The way home: an Azure disk's snapshot onto an empty disk, then what changed since, beside plain parallel GETs. */
import { join } from 'node:path';
import { totalBytes } from '../../domain/extents.ts';
import { blobNames } from '../../domain/names.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { MiB } from '../../domain/units.ts';
import type { BenchRun, Scenario } from '../bench-run.ts';
import { onePercent } from '../changes.ts';
import type { Driver } from '../driver.ts';
import type { AzureCalls } from '../drivers/azure.ts';
import type { FailbackCalls, SnapshotDisk } from '../drivers/failback.ts';
import { emptyImage, sha256OfFile } from '../image.ts';
import { diskIdOf, metered, peakBytes, withRig, type Rig } from '../rig.ts';
import { OURS, RowBook, type Metrics } from '../rows.ts';
import { OurSeries, STREAM } from './our-series.ts';

const titles = {
  'failback-read': 'failback: reading a snapshot, holes left out',
  failback: 'failback: snapshot to the disk at home, until flushed',
  'failback-delta': 'failback: 1 % in 64 KiB changed since, until flushed',
} as const;

/** A stream of its own, as a way home has. */
const HOME_STREAM = '5b1c8bac-0000-4000-8000-00000000401e';
const GETS = { requestBytes: 4 * MiB, atOnce: 8 } as const;
const PLAIN = 'plain GETs';

export const failbackScenario: Scenario = {
  name: 'failback',
  what: 'an Azure snapshot read and brought home, first as a whole, then what changed; plain parallel GETs',
  async run(bench) {
    const book = new RowBook(titles);
    await withRig(bench, { label: 'failback', tls: true }, async (rig) => {
      const way = await WayHome.prepare(bench, rig);
      for (let round = 1; round <= bench.options.runs; round += 1) {
        bench.tell(`failback, round ${round} of ${bench.options.runs}`);
        const gets = await way.plainGets(way.first);
        for (const row of ['failback-read', 'failback'] as const) book.add(row, PLAIN, gets);
        book.add('failback-read', OURS, await way.read(way.first));
        const home = await way.bringHome(round);
        book.add('failback', OURS, home.whole);
        book.add('failback-delta', OURS, home.delta);
        book.add('failback-delta', PLAIN, await way.plainGets(way.second));
      }
    });
    for (const row of book.rows()) bench.record(row);
  },
};

class WayHome {
  readonly #bench: BenchRun;
  readonly #rig: Rig;
  readonly #azure: Driver<AzureCalls>;
  readonly #armPid: number;
  readonly #source: Driver<FailbackCalls>;
  readonly #target: Driver<FailbackCalls>;
  readonly first: SnapshotDisk;
  readonly second: SnapshotDisk;

  private constructor(parts: {
    readonly bench: BenchRun;
    readonly rig: Rig;
    readonly azure: Driver<AzureCalls>;
    readonly armPid: number;
    readonly source: Driver<FailbackCalls>;
    readonly target: Driver<FailbackCalls>;
    readonly snapshots: readonly [string, string];
  }) {
    this.#bench = parts.bench;
    this.#rig = parts.rig;
    this.#azure = parts.azure;
    this.#armPid = parts.armPid;
    this.#source = parts.source;
    this.#target = parts.target;
    const [first, second] = parts.snapshots;
    const disk = { diskId: diskIdOf(1), capacityBytes: parts.bench.original.bytes };
    this.first = { ...disk, snapshotId: first, previousId: null };
    this.second = { ...disk, snapshotId: second, previousId: first };
  }

  /** Replicated, failed over, changed: nothing of it is measured. */
  static async prepare(bench: BenchRun, rig: Rig): Promise<WayHome> {
    bench.tell('failback: a machine in the practice Azure');
    const series = await OurSeries.open(bench, rig, 'point');
    await series.first();
    const azure = await rig.startDriver<AzureCalls>({ program: 'azure' });
    const { pid: armPid, ...facts } = await azure.call('start', {
      ...rig.vault,
      folder: join(rig.folder, 'arm'),
    });
    const replica = blobNames.replica(asId<ProtectedItemId>(STREAM), asId<DiskId>(diskIdOf(0)));
    const blobUrl = `${rig.vault.accountUrl}/vault/${replica}`;
    const { diskId } = await azure.call('makeMachine', { blobUrl });
    const { snapshotId: first } = await azure.call('snapshot', { diskId, number: 1 });
    const extents = onePercent(bench.options.seed, '64k', bench.original.bytes);
    await azure.call('write', { diskId, extents });
    const { snapshotId: second } = await azure.call('snapshot', { diskId, number: 2 });
    const start = async () => {
      const driver = await rig.startDriver<FailbackCalls>({ program: 'failback' });
      await driver.call('openVault', rig.vault);
      await driver.call('openAzure', facts);
      return driver;
    };
    const snapshots = [first, second] as const;
    return new WayHome({
      bench,
      rig,
      azure,
      armPid,
      source: await start(),
      target: await start(),
      snapshots,
    });
  }

  async plainGets(disk: SnapshotDisk): Promise<Metrics> {
    const extents = await this.#source.call('extents', disk);
    const input = { snapshotId: disk.snapshotId, extents, ...GETS };
    const { result, metrics } = await this.#metered(() => this.#source.call('plainGets', input));
    return { ...metrics, ...timesOf(result), dataBytes: totalBytes(extents) };
  }

  async read(disk: SnapshotDisk): Promise<Metrics> {
    const extents = await this.#source.call('extents', disk);
    const { result, metrics } = await this.#metered(() => this.#source.call('read', disk));
    return { ...metrics, ...timesOf(result), dataBytes: totalBytes(extents) };
  }

  /** Both snapshots, one after the other, onto a disk that was empty. @throws Error when it holds other bytes then */
  async bringHome(round: number): Promise<{ readonly whole: Metrics; readonly delta: Metrics }> {
    const image = join(this.#rig.folder, 'home.img');
    await emptyImage(image, this.#bench.original.bytes);
    const sink = await this.#rig.exportImage(image, 'write');
    const stream = `${HOME_STREAM.slice(0, -4)}${String(round).padStart(4, '0')}`;
    try {
      const whole = await this.#copy(stream, this.first, sink);
      await this.#compare(image, this.first);
      const delta = await this.#copy(stream, this.second, sink);
      await this.#compare(image, this.second);
      return { whole, delta };
    } finally {
      await sink.stop();
    }
  }

  async #copy(
    stream: string,
    disk: SnapshotDisk,
    sink: { readonly pid: number; readonly socketPath: string },
  ): Promise<Metrics> {
    const { diskId, capacityBytes } = disk;
    const home = { diskId, capacityBytes, socketPath: sink.socketPath };
    const pids = { source: sink.pid, emulator: this.#rig.azurite.pid };
    const { result, metrics } = await this.#metered(async () => {
      const landing = this.#target.call('land', { stream, disks: [home], untilBarrier: null });
      const shipped = await this.#source.call('ship', { stream, disks: [disk] });
      await this.#target.call('landUntil', { barrierNumber: shipped.barrierNumber });
      return { shipped, landed: await landing };
    }, pids);
    await this.#target.call('landUntil', { barrierNumber: Number.MAX_SAFE_INTEGER });
    const { shipped, landed } = result;
    return {
      ...metrics,
      wallSeconds: (landed.endedAt - shipped.startedAt) / 1_000,
      clientCpuSeconds: shipped.cpuSeconds + landed.cpuSeconds,
      clientRssBytes: Math.max(peakBytes(this.#source.pid), peakBytes(this.#target.pid)),
      dataBytes: shipped.dataBytes,
      readBytes: shipped.readBytes,
      payloadBytes: shipped.payloadBytes,
    };
  }

  async #compare(image: string, { snapshotId }: SnapshotDisk): Promise<void> {
    const expected = await this.#azure.call('hash', { resourceId: snapshotId });
    if ((await sha256OfFile(image)) !== expected)
      throw new Error(`the disk at home is not what ${snapshotId} holds`);
  }

  #metered<T>(work: () => Promise<T>, pids: Readonly<Record<string, number>> = {}) {
    return metered({ namespace: this.#rig.namespace, pids: { server: this.#armPid, ...pids } }, work);
  }
}

function timesOf({
  wallSeconds,
  cpuSeconds,
}: {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}): Metrics {
  return { wallSeconds, clientCpuSeconds: cpuSeconds };
}
