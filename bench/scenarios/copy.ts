/** First copy and two deltas of one disk: ours until durable, ours until the recovery point, and the peers. */
import { onePercent, restore, writeChanges, type ChangeSize } from '../changes.ts';
import type { BenchRun, Scenario } from '../bench-run.ts';
import { sha256OfFile } from '../image.ts';
import { absenceOf, peers, type Peer } from '../peers.ts';
import { seededStream } from '../random.ts';
import { metered, withRig } from '../rig.ts';
import { OURS, RowBook } from '../rows.ts';
import type { Metrics } from '../rows.ts';
import { timeNbdcopy } from '../nbdcopy.ts';
import { OurSeries } from './our-series.ts';

const titles = {
  'first-durable': 'first copy until durable in the account',
  'first-point': 'first copy until applied and point made',
  '4k-durable': '1 % in random 4 KiB, until durable',
  '4k-point': '1 % in random 4 KiB, until point made',
  '64k-durable': '1 % in 64 KiB pieces, until durable',
  '64k-point': '1 % in 64 KiB pieces, until point made',
} as const;

const sizes: readonly ChangeSize[] = ['4k', '64k'];

/** What happens to the image between the copies of a series, and what it holds in the end. */
export interface Series {
  change(size: ChangeSize): Promise<ReturnType<typeof onePercent>>;
  /** Makes the image what it was. */
  undo(): Promise<void>;
}

export const copyScenario: Scenario = {
  name: 'copy',
  what: 'first copy, 1 % in 4 KiB, 1 % in 64 KiB: until durable, until point; rclone, restic, nbdcopy',
  async run(bench) {
    const book = new RowBook(titles);
    const finalHash = await hashAfterChanges(bench);
    for (let round = 1; round <= bench.options.runs; round += 1) {
      bench.tell(`copy, round ${round} of ${bench.options.runs}`);
      await ourRound(bench, book, 'durable', finalHash);
      for (const peer of peers) {
        await peerRound(bench, book, peer, finalHash);
        if (peer === peers[0]) await ourRound(bench, book, 'point', finalHash);
      }
      book.add('first-durable', 'nbdcopy (to a local disk)', await timeNbdcopy(bench));
    }
    for (const row of book.rows()) bench.record(row);
  },
};

export function seriesOf({ image, original, options }: BenchRun): Series {
  return {
    async change(size) {
      const extents = onePercent(options.seed, size, original.bytes);
      await writeChanges(image, extents, seededStream(options.seed, `bytes of ${size}`));
      return extents;
    },
    async undo() {
      for (const size of sizes) {
        await restore(image, original.file, onePercent(options.seed, size, original.bytes));
      }
    },
  };
}

async function hashAfterChanges(bench: BenchRun): Promise<string> {
  const series = seriesOf(bench);
  for (const size of sizes) await series.change(size);
  const hash = await sha256OfFile(bench.image);
  await series.undo();
  return hash;
}

async function ourRound(
  bench: BenchRun,
  book: RowBook,
  until: 'durable' | 'point',
  finalHash: string,
): Promise<void> {
  const series = seriesOf(bench);
  await withRig(bench, { label: until, tls: true }, async (rig) => {
    const ours = await OurSeries.open(bench, rig, until);
    book.add(`first-${until}`, OURS, await ours.first());
    for (const size of sizes) {
      book.add(`${size}-${until}`, OURS, await ours.delta(await series.change(size)));
    }
    await ours.verify(finalHash);
  });
  await series.undo();
}

async function peerRound(bench: BenchRun, book: RowBook, peer: Peer, finalHash: string): Promise<void> {
  const rows = ['first-durable', '4k-durable', '64k-durable'];
  const absence = absenceOf(peer);
  if (absence !== null) return rows.forEach((row) => book.cannot(row, peer.name, absence));
  const series = seriesOf(bench);
  await withRig(bench, { label: peer.name, tls: false }, async (rig) => {
    const place = {
      rig,
      prefix: rig.namespace.prefix,
      accountUrl: rig.azurite.accountUrl,
      image: bench.image,
      signal: bench.signal,
    };
    await peer.prepare(place);
    const copy = async (): Promise<Metrics> => {
      const probe = { namespace: rig.namespace, pids: { server: rig.azurite.pid } };
      const { result, metrics } = await metered(probe, () => peer.copy(place));
      const { wallSeconds, cpuSeconds, rssBytes } = result;
      return { ...metrics, wallSeconds, clientCpuSeconds: cpuSeconds, clientRssBytes: rssBytes };
    };
    book.add('first-durable', peer.name, await copy());
    for (const size of sizes) {
      await series.change(size);
      book.add(`${size}-durable`, peer.name, await copy());
    }
    const held = await peer.hash(place);
    if (held !== finalHash) throw new Error(`${peer.name} gives back other bytes than it was given: ${held}`);
  });
  await series.undo();
}
