/** The way home: the temporary process server's part and the master target's, and plain GETs to compare with. One process each. */
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { totalBytes } from '../../domain/extents.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { Secret } from '../../domain/ports.ts';
import type { AzureSnapshotSource, Cloud, DiskSink } from '../../domain/ports.ts';
import { fencingEpoch, type Extent } from '../../domain/replication.ts';
import { GiB, MiB } from '../../domain/units.ts';
import type { ArmFacts } from '../../lab/processes/arm.ts';
import { shipInWindows } from '../../activities/replication/windows.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { ensureItemKey, openItemKey } from '../../dataplane/keys.ts';
import { landPending } from '../../dataplane/land/land-pending.ts';
import { readPieces } from '../../dataplane/ship/pieces.ts';
import { openNbdSink } from '../../dataplane/sink/nbd-sink.ts';
import { createAzureCredential } from '../../providers/azure/credential.ts';
import { createClients } from '../../providers/azure/cloud/clients.ts';
import { createCloud } from '../../providers/azure/cloud/cloud.ts';
import { createGrant } from '../../providers/azure/cloud/snapshot-access.ts';
import { measured, serve, type Measured } from './serve.ts';
import { openVault, type OpenVault, type VaultPlace } from './vault.ts';

/** As in activities/home/{reverse-copy,create-land-activities}.ts. */
const WINDOW_BYTES = 512 * MiB;
const BARRIERS_AT_ONCE = 8;
/** What the product waits between looks at the journal at least. */
const LOOK_MS = 500;

export interface SnapshotDisk {
  readonly diskId: string;
  readonly capacityBytes: number;
  readonly snapshotId: string;
  /** Null: everything there is, into an empty disk. */
  readonly previousId: string | null;
}

export interface HomeDisk {
  readonly diskId: string;
  readonly capacityBytes: number;
  readonly socketPath: string;
}

export interface GetsInput {
  readonly snapshotId: string;
  readonly extents: readonly Extent[];
  readonly requestBytes: number;
  readonly atOnce: number;
}

export interface ReadBytes extends Measured {
  readonly bytes: number;
}

export interface ShippedHome extends Measured {
  readonly barrierNumber: number;
  /** Of changed or non-zero ranges. */
  readonly dataBytes: number;
  readonly readBytes: number;
  readonly payloadBytes: number;
}

export interface FailbackCalls {
  openVault(place: VaultPlace): Promise<void>;
  openAzure(facts: ArmFacts): Promise<void>;
  /** Ranges with data, or those that differ from the previous snapshot. */
  extents(disk: SnapshotDisk): Promise<readonly Extent[]>;
  /** The same bytes, asked for and thrown away. */
  plainGets(input: GetsInput): Promise<ReadBytes>;
  /** Read as the product reads, and thrown away. */
  read(disk: SnapshotDisk): Promise<ReadBytes>;
  ship(input: { readonly stream: string; readonly disks: readonly SnapshotDisk[] }): Promise<ShippedHome>;
  /** Ends when `untilBarrier` is on the disks. */
  land(input: {
    readonly stream: string;
    readonly disks: readonly HomeDisk[];
    readonly untilBarrier: number | null;
  }): Promise<Measured>;
  /** For a `land` that does not know yet where to end. */
  landUntil(input: { readonly barrierNumber: number }): Promise<void>;
}

const never = new AbortController().signal;
const quiet = () => undefined;
let vault: (OpenVault & { readonly cacheFolder: string }) | null = null;
let azure: { readonly cloud: Cloud; readonly options: Parameters<typeof createCloud>[0] } | null = null;
let attempts = 0;
let lastBarrier = Infinity;

const calls: FailbackCalls = {
  async openVault(place) {
    vault = { ...(await openVault(place)), cacheFolder: place.cacheFolder };
  },
  async openAzure({ url, caFile, clientSecretFile, subscriptionId, tenantId, clientId }) {
    const tlsCa = await readFile(caFile, 'utf8');
    const secret = new Secret((await readFile(clientSecretFile, 'utf8')).trim());
    const identity = { kind: 'clientSecret', tenantId, clientId, secret, authorityHost: url, tlsCa } as const;
    const options = {
      subscriptionId,
      credential: createAzureCredential(identity),
      endpoint: url,
      tlsCa,
      pollIntervalMs: 30,
    };
    azure = { cloud: createCloud(options), options };
  },
  extents: (disk) => withSnapshots([disk], ([source]) => changesOf(source)),
  async plainGets(input) {
    const { options } = openedAzure();
    const grant = createGrant(createClients(options), input.snapshotId);
    const { tlsCa } = options;
    const agent = new https.Agent({ keepAlive: true, maxSockets: input.atOnce, ca: tlsCa });
    try {
      const url = (await grant.address(never)).reveal();
      const { result, ...times } = await measured(() => getAll(url, agent, input));
      return { ...times, bytes: result };
    } finally {
      agent.destroy();
      await grant.revoke();
    }
  },
  read: (disk) =>
    withSnapshots([disk], async ([source]) => {
      const { result, ...times } = await measured(() => readAll(source));
      return { ...times, bytes: result };
    }),
  async ship(input) {
    const { result, ...times } = await measured(() =>
      withSnapshots(input.disks, (open) => ship(input, open)),
    );
    return { ...times, ...result };
  },
  async land(input) {
    const { result: _, ...times } = await measured(() => land(input));
    return times;
  },
  async landUntil({ barrierNumber }) {
    lastBarrier = barrierNumber;
  },
};

async function withSnapshots<T>(
  disks: readonly SnapshotDisk[],
  work: (sources: readonly AzureSnapshotSource[]) => Promise<T>,
): Promise<T> {
  const { cloud } = openedAzure();
  const sources: AzureSnapshotSource[] = [];
  try {
    for (const { snapshotId, previousId } of disks) {
      sources.push(await cloud.openSnapshot(snapshotId, previousId, never));
    }
    return await work(sources);
  } finally {
    await Promise.all(sources.map((source) => source.close()));
  }
}

async function changesOf(source: AzureSnapshotSource | undefined): Promise<readonly Extent[]> {
  return source === undefined ? [] : Array.fromAsync(source.changedExtents(never));
}

async function readAll(source: AzureSnapshotSource | undefined): Promise<number> {
  if (source === undefined) return 0;
  const extents = await changesOf(source);
  let bytes = 0;
  for await (const { data } of readPieces({ source, extents }, never)) bytes += data?.length ?? 0;
  return bytes;
}

async function getAll(url: string, agent: https.Agent, input: GetsInput): Promise<number> {
  const queue = cut(input.extents, input.requestBytes).values();
  let bytes = 0;
  const getSome = async () => {
    for (const range of queue) bytes += await get(url, agent, range);
  };
  await Promise.all(Array.from({ length: input.atOnce }, getSome));
  return bytes;
}

function cut(extents: readonly Extent[], stepBytes: number): Extent[] {
  return extents.flatMap(({ offset, length }) =>
    Array.from({ length: Math.ceil(length / stepBytes) }, (_, index) => ({
      offset: offset + index * stepBytes,
      length: Math.min(stepBytes, length - index * stepBytes),
    })),
  );
}

function get(url: string, agent: https.Agent, { offset, length }: Extent): Promise<number> {
  const headers = { 'x-ms-version': '2020-10-02', 'x-ms-range': `bytes=${offset}-${offset + length - 1}` };
  return new Promise((resolve, reject) => {
    const request = https.get(url, { agent, headers }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.on('error', reject);
      response.on('end', () => {
        if (bytes === length) resolve(bytes);
        else reject(new Error(`HTTP ${response.statusCode} with ${bytes} bytes instead of ${length}`));
      });
    });
    request.on('error', reject);
  });
}

async function ship(
  input: Parameters<FailbackCalls['ship']>[0],
  sources: readonly AzureSnapshotSource[],
): Promise<Omit<ShippedHome, keyof Measured>> {
  const { storage, vaultKey, cacheFolder } = openedVault();
  const stream = asId<ProtectedItemId>(input.stream);
  await ensureItemKey(storage, vaultKey, stream);
  attempts += 1;
  const changed = new Map<DiskId, readonly Extent[]>();
  for (const [index, { diskId }] of input.disks.entries()) {
    changed.set(asId<DiskId>(diskId), await changesOf(sources[index]));
  }
  const isFull = input.disks.every(({ previousId }) => previousId === null);
  const barriers: NonNullable<Awaited<ReturnType<typeof latestBarrier>>>[] = [];
  await shipInWindows(
    { storage, vaultKey, cache: { folder: cacheFolder, freeBytesMin: 0, bytesMax: 4 * GiB } },
    {
      stream,
      previous: await latestBarrier(storage, stream),
      frozen: {
        name: `bench-${attempts}`,
        takenAt: new Date().toISOString(),
        consistency: 'crash',
        disks: input.disks.map(({ diskId, capacityBytes, snapshotId }, index) => ({
          diskId: asId<DiskId>(diskId),
          capacityBytes,
          changeId: snapshotId,
          open: async () => ({ ...viewOf(sources[index]), capacityBytes }),
        })),
      },
      epoch: fencingEpoch(1, attempts),
      changed,
      cycle: isFull ? 'initial' : 'delta',
      phase: isFull ? 'initial' : 'delta',
      skipZeros: isFull,
      isResumable: isFull,
      windowBytes: WINDOW_BYTES,
    },
    { signal: never, onProgress: quiet, beat: quiet },
    (barrier) => barriers.push(barrier),
  );
  const disks = barriers.flatMap((barrier) => barrier.disks);
  const segments = disks.flatMap((disk) => disk.segments);
  return {
    barrierNumber: barriers.at(-1)?.number ?? 0,
    dataBytes: totalBytes([...changed.values()].flat()),
    readBytes: disks.reduce((sum, { readBytes }) => sum + readBytes, 0),
    payloadBytes: segments.reduce((sum, { wireBytes }) => sum + wireBytes, 0),
  };
}

/** Closed by who opened it. */
function viewOf(source: AzureSnapshotSource | undefined) {
  if (source === undefined) throw new Error('no snapshot');
  return {
    readBytes: source.readBytes,
    readsAtOnce: source.readsAtOnce,
    read: (offset: number, into: Uint8Array, signal: AbortSignal) => source.read(offset, into, signal),
    dataExtents: (range: Extent, signal: AbortSignal) => source.dataExtents(range, signal),
    close: async () => undefined,
  };
}

async function land(input: Parameters<FailbackCalls['land']>[0]): Promise<void> {
  const { storage, vaultKey, cacheFolder } = openedVault();
  const stream = asId<ProtectedItemId>(input.stream);
  attempts += 1;
  const sinks: DiskSink[] = [];
  try {
    for (const { socketPath } of input.disks) {
      const nbd = { host: '', port: 0, socketPath, exportName: '', close: async () => undefined };
      sinks.push(await openNbdSink(nbd, never));
    }
    for (let landed = 0; landed < (input.untilBarrier ?? lastBarrier);) {
      if (((await latestBarrier(storage, stream))?.number ?? 0) <= landed) {
        await sleep(LOOK_MS);
        continue;
      }
      const done = await landPending({
        stream,
        disks: input.disks.flatMap(({ diskId, capacityBytes }, index) => {
          const sink = sinks[index];
          return sink === undefined ? [] : [{ diskId: asId<DiskId>(diskId), capacityBytes, sink }];
        }),
        epoch: fencingEpoch(1, attempts),
        key: await openItemKey(storage, vaultKey, stream),
        storage,
        cacheFolder,
        signal: never,
        barriersMax: BARRIERS_AT_ONCE,
        onProgress: quiet,
      });
      landed = done.landedBarrier;
    }
  } finally {
    await Promise.all(sinks.map((sink) => sink.close()));
  }
}

function openedVault() {
  if (vault === null) throw new Error('the vault is not open');
  return vault;
}

function openedAzure() {
  if (azure === null) throw new Error('Azure is not open');
  return azure;
}

await serve({ ...calls });
