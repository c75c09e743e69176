/** Eight disks at once: as eight machines and as one, against one disk alone. */
import type { Scenario } from '../bench-run.ts';
import type { TestImage } from '../image.ts';
import { MiB } from '../../domain/units.ts';
import { metered, peakBytes, shippedDisk, startApply, startShip, withRig, type Rig } from '../rig.ts';
import { OURS, RowBook, type Metrics } from '../rows.ts';
import { RETENTION_HOURS } from './our-series.ts';

const DISKS = 8;
const ROW = 'eight';

interface Shape {
  readonly name: string;
  readonly machines: number;
  readonly disksEach: number;
}

const alone: Shape = { name: '1 machine, 1 disk', machines: 1, disksEach: 1 };
const together: readonly Shape[] = [
  { name: '8 machines', machines: DISKS, disksEach: 1 },
  { name: '1 machine, 8 disks', machines: 1, disksEach: DISKS },
];

export const eightScenario: Scenario = {
  name: 'eight',
  what: 'first copy of 8 disks at once until their points, as 8 machines and as one: memory, rate',
  async run(bench) {
    const book = new RowBook({ [ROW]: `${DISKS} disks at once, first copy until points made` });
    const sides = [
      { shape: alone, image: bench.original },
      ...together.map((shape) => ({ shape, image: bench.small })),
    ];
    for (const { shape, image } of sides) {
      bench.tell(`eight: ${shape.name} of ${image.bytes / MiB} MiB`);
      const metrics = await withRig(bench, { label: 'eight', tls: true }, (rig) =>
        copyAll(rig, shape, image === bench.original ? { ...image, file: bench.image } : image),
      );
      book.add(ROW, `${OURS}: ${shape.name}`, metrics);
    }
    for (const row of book.rows()) bench.record({ ...row, notes: notesOf(row.contenders) });
  },
};

async function copyAll(rig: Rig, shape: Shape, image: TestImage): Promise<Metrics> {
  const shipper = await startShip(rig);
  const applier = await startApply(rig);
  const streams: { readonly stream: string; readonly disks: ReturnType<typeof shippedDisk>[] }[] = [];
  for (let machine = 0; machine < shape.machines; machine += 1) {
    const stream = `5b1c8bac-0000-4000-8000-${String(machine).padStart(12, '0')}`;
    const disks: ReturnType<typeof shippedDisk>[] = [];
    for (let disk = 0; disk < shape.disksEach; disk += 1) {
      const source = await rig.exportImage(image.file);
      disks.push(shippedDisk(machine * shape.disksEach + disk, image.bytes, source.socketPath));
    }
    await shipper.call('prepare', { stream });
    streams.push({ stream, disks });
  }
  const probe = {
    namespace: rig.namespace,
    pids: { server: rig.azurite.pid, ship: shipper.pid, apply: applier.pid },
  };
  const { result: endings, metrics } = await metered(probe, () =>
    Promise.all(
      streams.map(async ({ stream, disks }) => {
        const following = applier.call('follow', {
          stream,
          disks: disks.map(({ diskId, capacityBytes }) => ({ diskId, capacityBytes })),
          untilPoint: 1,
          retentionHours: RETENTION_HOURS,
        });
        const sourceTime = new Date().toISOString();
        const shipping = shipper.call('ship', { stream, cycle: 'initial', disks, sourceTime });
        const [shipped, followed] = await Promise.all([shipping, following]);
        return { startedAt: shipped.startedAt, endedAt: followed.endedAt };
      }),
    ),
  );
  const peaks = { shipRssBytes: peakBytes(shipper.pid), applyRssBytes: peakBytes(applier.pid) };
  for (const { stream, disks } of streams) {
    for (const { diskId, capacityBytes } of disks) {
      const held = await applier.call('hash', { stream, disk: { diskId, capacityBytes } });
      if (held !== image.sha256) throw new Error(`disk ${diskId} of ${stream} holds other bytes`);
    }
  }
  const startedAt = Math.min(...endings.map((ending) => ending.startedAt));
  const wallSeconds = (Math.max(...endings.map(({ endedAt }) => endedAt)) - startedAt) / 1_000;
  const { shipCpuSeconds = 0, applyCpuSeconds = 0 } = metrics;
  const rawBytes = image.bytes * shape.machines * shape.disksEach;
  return {
    ...metrics,
    ...peaks,
    wallSeconds,
    clientCpuSeconds: shipCpuSeconds + applyCpuSeconds,
    clientRssBytes: Math.max(peaks.shipRssBytes, peaks.applyRssBytes),
    mibPerSecond: rawBytes / MiB / wallSeconds,
    cpuSecondsPerGiB: (shipCpuSeconds + applyCpuSeconds) / (rawBytes / MiB / 1_024),
  };
}

function notesOf(contenders: ReturnType<RowBook['rows']>[number]['contenders']): string[] {
  return Object.entries(contenders).flatMap(([name, contender]) => {
    const [run] = 'absent' in contender ? [] : contender.runs;
    if (run === undefined) return [];
    const { mibPerSecond = 0, cpuSecondsPerGiB = 0, shipRssBytes = 0, applyRssBytes = 0 } = run;
    const memory = `RSS ${(shipRssBytes / MiB).toFixed(0)} and ${(applyRssBytes / MiB).toFixed(0)} MiB`;
    return [
      `${name}: ${mibPerSecond.toFixed(0)} MiB/s of disk, ${cpuSecondsPerGiB.toFixed(2)} CPU s a GiB, ${memory}`,
    ];
  });
}
