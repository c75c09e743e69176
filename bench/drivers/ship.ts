/** The process server's part: what changed becomes barriers, as in activities/replication/{initial-copy,delta}.ts. */
import { GiB, MiB } from '../../domain/units.ts';
import { asId } from '../../domain/ids.ts';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { fencingEpoch, type Barrier, type Extent } from '../../domain/replication.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import { ensureItemKey } from '../../dataplane/keys.ts';
import { openNbdSource } from '../../dataplane/source/nbd-source.ts';
import { shipInWindows } from '../../activities/replication/windows.ts';
import type { FrozenState } from '../../activities/replication/frozen-state.ts';
import { measured, serve, type Measured } from './serve.ts';
import { openVault, type OpenVault, type VaultPlace } from './vault.ts';

/** Of each disk; `runInitialCopy` ends a barrier there too. */
const INITIAL_WINDOW_BYTES = 256 * MiB;

export interface ShippedDisk {
  readonly diskId: string;
  readonly capacityBytes: number;
  readonly socketPath: string;
  readonly changed: readonly Extent[];
}

export interface ShipInput {
  readonly stream: string;
  readonly cycle: 'initial' | 'delta';
  readonly disks: readonly ShippedDisk[];
  /** ISO 8601: when the disks were frozen. */
  readonly sourceTime: string;
}

export interface Shipped extends Measured {
  /** Of the point barrier. */
  readonly barrierNumber: number;
  readonly durableTime: string;
  /** What the segments weigh. */
  readonly payloadBytes: number;
  readonly readBytes: number;
}

export interface ShipCalls {
  open(place: VaultPlace): Promise<void>;
  /** Makes the data key: `prepareItem` has done so before a session begins. */
  prepare(input: { readonly stream: string }): Promise<void>;
  ship(input: ShipInput): Promise<Shipped>;
}

const never = new AbortController().signal;
let vault: (OpenVault & { readonly cacheFolder: string }) | null = null;
let attempts = 0;

const calls: ShipCalls = {
  async open(place) {
    vault = { ...(await openVault(place)), cacheFolder: place.cacheFolder };
  },
  async prepare({ stream }) {
    const { storage, vaultKey } = opened();
    await ensureItemKey(storage, vaultKey, asId<ProtectedItemId>(stream));
  },
  async ship(input) {
    const { result, ...times } = await measured(() => ship(input));
    const disks = result.flatMap((barrier) => barrier.disks);
    const last = result.at(-1);
    return {
      ...times,
      barrierNumber: last?.number ?? 0,
      durableTime: last?.durableTime ?? '',
      payloadBytes: sum(disks.flatMap((disk) => disk.segments.map((segment) => segment.wireBytes))),
      readBytes: sum(disks.map((disk) => disk.readBytes)),
    };
  },
};

async function ship(input: ShipInput): Promise<Barrier[]> {
  const { storage, vaultKey, cacheFolder } = opened();
  const stream = asId<ProtectedItemId>(input.stream);
  const isInitial = input.cycle === 'initial';
  attempts += 1;
  const barriers: Barrier[] = [];
  await shipInWindows(
    { storage, vaultKey, cache: { folder: cacheFolder, freeBytesMin: 0, bytesMax: 4 * GiB } },
    {
      stream,
      previous: await latestBarrier(storage, stream),
      frozen: frozenState(input),
      epoch: fencingEpoch(1, attempts),
      changed: new Map(input.disks.map(({ diskId, changed }) => [asId<DiskId>(diskId), changed])),
      cycle: input.cycle,
      phase: input.cycle,
      ...(isInitial ? { windowBytes: INITIAL_WINDOW_BYTES, skipZeros: true, isResumable: true } : {}),
    },
    { signal: never, onProgress: () => undefined, beat: () => undefined },
    (barrier) => barriers.push(barrier),
  );
  return barriers;
}

function frozenState({ disks, sourceTime }: ShipInput): FrozenState {
  return {
    name: `bench-${attempts}`,
    takenAt: sourceTime,
    consistency: 'crash',
    disks: disks.map(({ diskId, capacityBytes, socketPath }) => ({
      diskId: asId<DiskId>(diskId),
      capacityBytes,
      changeId: `bench/${attempts}`,
      open: (signal) =>
        openNbdSource(
          { host: '', port: 0, socketPath, exportName: '', close: async () => undefined },
          signal,
        ),
    })),
  };
}

function opened() {
  if (vault === null) throw new Error('the vault is not open');
  return vault;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

await serve({ ...calls });
