/** First copy over a line of 500 Mbit/s: a token bucket shapes it, a proxy behind it makes it long. */
import type { BenchRun, Scenario } from '../bench-run.ts';
import type { FarCalls } from '../drivers/far.ts';
import { connect, createNamespace, type Link, type Namespace } from '../netns.ts';
import { absenceOf, peers, type Peer } from '../peers.ts';
import {
  metered,
  peakBytes,
  shippedDisk,
  diskIdOf,
  startApply,
  startShip,
  withRig,
  type Rig,
} from '../rig.ts';
import { OURS, RowBook, type Metrics } from '../rows.ts';
import { RETENTION_HOURS, STREAM } from './our-series.ts';

const RATE_MBIT = 500;
/** There and back: 50 ms. */
const ONE_WAY_MS = 25;
const FAR_PORT = 10_443;
const ROW = 'wan-first';

export const wanScenario: Scenario = {
  name: 'wan',
  what: `first copy over ${RATE_MBIT} Mbit/s with a round trip of ${2 * ONE_WAY_MS} ms; rclone, restic`,
  async run(bench) {
    const title = `first copy, ${RATE_MBIT} Mbit/s, ${2 * ONE_WAY_MS} ms there and back`;
    const book = new RowBook({ [ROW]: title });
    for (let round = 1; round <= bench.options.runs; round += 1) {
      bench.tell(`wan, round ${round} of ${bench.options.runs}`);
      book.add(ROW, OURS, await ourCopy(bench));
      for (const peer of peers) {
        const absence = absenceOf(peer);
        if (absence === null) book.add(ROW, peer.name, await peerCopy(bench, peer));
        else book.cannot(ROW, peer.name, absence);
      }
    }
    for (const row of book.rows()) bench.record(row);
  },
};

interface FarPlace {
  /** Where the contender runs. */
  readonly near: Namespace;
  readonly link: Link;
  /** Host and port of the account's endpoint, seen from there. */
  readonly host: string;
}

async function withFarRig<T>(
  bench: BenchRun,
  options: { readonly label: string; readonly tls: boolean },
  work: (rig: Rig, place: FarPlace) => Promise<T>,
): Promise<T> {
  return withRig(bench, options, async (rig) => {
    await using stack = new AsyncDisposableStack();
    const near = await createNamespace(`${options.label}-near`);
    stack.defer(() => near.remove());
    const link = await connect(near, rig.namespace, RATE_MBIT);
    const line = await rig.startDriver<FarCalls>({ program: 'far' });
    const { toAddress: address } = link;
    await line.call('open', { address, port: FAR_PORT, toPort: rig.azurite.port, oneWayMs: ONE_WAY_MS });
    return await work(rig, { near, link, host: `${address}:${FAR_PORT}` });
  });
}

async function ourCopy(bench: BenchRun): Promise<Metrics> {
  return withFarRig(bench, { label: 'wan', tls: true }, async (rig, { near, link, host }) => {
    const source = await rig.exportImage(bench.image);
    const vault = { ...rig.vault, accountUrl: withHost(rig.vault.accountUrl, host) };
    const shipper = await startShip(rig, { vault, namespace: near });
    await shipper.call('prepare', { stream: STREAM });
    const { bytes: capacityBytes, sha256 } = bench.original;
    const probe = {
      namespace: near,
      device: link.device,
      pids: { server: rig.azurite.pid, source: source.pid },
    };
    const { result: shipped, metrics } = await metered(probe, () =>
      shipper.call('ship', {
        stream: STREAM,
        cycle: 'initial',
        disks: [shippedDisk(0, capacityBytes, source.socketPath)],
        sourceTime: new Date().toISOString(),
      }),
    );
    const clientRssBytes = peakBytes(shipper.pid);
    const applier = await startApply(rig);
    const disk = { diskId: diskIdOf(0), capacityBytes };
    await applier.call('follow', {
      stream: STREAM,
      disks: [disk],
      untilPoint: shipped.barrierNumber,
      retentionHours: RETENTION_HOURS,
    });
    const held = await applier.call('hash', { stream: STREAM, disk });
    if (held !== sha256) throw new Error('our recovery point holds other bytes than the disk');
    return {
      ...metrics,
      wallSeconds: shipped.wallSeconds,
      clientCpuSeconds: shipped.cpuSeconds,
      payloadBytes: shipped.payloadBytes,
      clientRssBytes,
      floorSeconds: (shipped.payloadBytes * 8) / (RATE_MBIT * 1e6),
    };
  });
}

async function peerCopy(bench: BenchRun, peer: Peer): Promise<Metrics> {
  return withFarRig(bench, { label: `wan-${peer.name}`, tls: false }, async (rig, { near, link, host }) => {
    const inside = {
      rig,
      prefix: rig.namespace.prefix,
      accountUrl: rig.azurite.accountUrl,
      image: bench.image,
      signal: bench.signal,
    };
    await peer.prepare(inside);
    const outside = {
      ...inside,
      prefix: near.prefix,
      accountUrl: withHost(rig.azurite.accountUrl, host),
    };
    const probe = { namespace: near, device: link.device, pids: { server: rig.azurite.pid } };
    const { result, metrics } = await metered(probe, () => peer.copy(outside));
    const held = await peer.hash(inside);
    if (held !== bench.original.sha256) throw new Error(`${peer.name} gives back other bytes`);
    const { wallSeconds, cpuSeconds, rssBytes } = result;
    return { ...metrics, wallSeconds, clientCpuSeconds: cpuSeconds, clientRssBytes: rssBytes };
  });
}

function withHost(accountUrl: string, host: string): string {
  const url = new URL(accountUrl);
  url.host = host;
  return url.href;
}
