/** The source's side of scrubbing: hashes of the blocks that are due, of the very state a barrier was read from. */
import type { DiskId } from '../../domain/ids.ts';
import type { DiskSource, VaultStorage } from '../../domain/ports.ts';
import type { Barrier } from '../../domain/replication.ts';
import { GiB } from '../../domain/units.ts';
import type { ItemKey } from '../keys.ts';
import { dueBlocks, scrubBlockBytes } from './block-order.ts';
import { hashBlocksOf } from './block-hash.ts';
import { saveSample, type SampledDisk } from './records.ts';

/** Of a disk and a cycle: after a long outage what was missed is not made up for at once. */
const CYCLE_BYTES_MAX = GiB;

export interface SampleRequest {
  readonly storage: VaultStorage;
  readonly key: ItemKey;
  /** The state of the disks it names is still there to be read. */
  readonly barrier: Barrier;
  readonly disks: readonly {
    readonly diskId: DiskId;
    readonly capacityBytes: number;
    open(signal: AbortSignal): Promise<DiskSource>;
  }[];
  /** ISO 8601, of the state that was sampled before. */
  readonly since: string;
  readonly percentPerDay: number;
  /** What is not read by then is left out. */
  readonly timeMs: number;
  readonly signal: AbortSignal;
}

/**
 * Memory: four blocks of at most 1 MiB.
 * @throws DR_REPLICATION_SOURCE_READ, DR_STORAGE_…, the signal's reason
 */
export async function takeSample(request: SampleRequest): Promise<void> {
  const { storage, key, barrier, signal } = request;
  const disks: SampledDisk[] = [];
  const startedMs = performance.now();
  for (const [index, disk] of request.disks.entries()) {
    // Each disk has its share of the time, with what those before it have left.
    const untilMs = startedMs + (request.timeMs * (index + 1)) / request.disks.length;
    disks.push(await sampleDisk(request, disk, untilMs));
  }
  const { itemId, number: barrierNumber, sourceTime } = barrier;
  await saveSample(
    { storage, item: itemId, key, signal },
    {
      version: 1,
      itemId,
      barrierNumber,
      sourceTime,
      disks,
    },
  );
}

async function sampleDisk(
  { key, barrier, since, percentPerDay, signal }: SampleRequest,
  disk: SampleRequest['disks'][number],
  untilMs: number,
): Promise<SampledDisk> {
  const { diskId, capacityBytes } = disk;
  const blockBytes = scrubBlockBytes(capacityBytes);
  const diskKey = key.scrubKey(diskId);
  const due = dueBlocks(diskKey, Math.ceil(capacityBytes / blockBytes), {
    fromMs: Date.parse(since),
    toMs: Date.parse(barrier.sourceTime),
    percentPerDay,
    blocksMax: CYCLE_BYTES_MAX / blockBytes,
  });
  const changeId = barrier.disks.find((each) => each.diskId === diskId)?.changeId ?? null;
  const sampled = { diskId, changeId, capacityBytes, blockBytes, pass: due.pass };
  if (due.blocks.length === 0) return { ...sampled, blocks: [] };
  const source = await disk.open(signal);
  try {
    const isOver = () => performance.now() > untilMs;
    const reads = { source, key: diskKey, blockBytes, blocks: due.blocks, isOver, signal };
    return { ...sampled, blocks: await hashBlocksOf(reads) };
  } finally {
    await source.close().catch(() => undefined);
  }
}
