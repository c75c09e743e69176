/** The records of scrubbing in the storage account: samples, findings, state. All are signed with the item's key. */
import { z } from 'zod';
import type { DiskId, ProtectedItemId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';
import type { ScrubFinding, ScrubTotals } from '../../domain/scrub.ts';
import { isAuthentic, signRecord } from '../journal/signed-record.ts';
import type { ItemKey } from '../keys.ts';

const count = z.number().int().nonnegative();
const diskId = z.string().regex(/^[0-9a-f]{32}$/);
const time = z.iso.datetime({ offset: true });
const mac = z.string().optional();

const sampleSchema = z.strictObject({
  version: z.literal(1),
  itemId: z.string(),
  barrierNumber: count,
  sourceTime: time,
  disks: z.array(
    z.strictObject({
      diskId,
      changeId: z.string().nullable(),
      capacityBytes: count,
      blockBytes: z.number().int().min(512),
      pass: count,
      blocks: z.array(z.tuple([count, z.string().regex(/^[0-9a-f]{32}$/)])),
    }),
  ),
  mac,
});

const findingSchema = z.strictObject({
  version: z.literal(1),
  itemId: z.string(),
  barrierNumber: count,
  pointId: z.string().regex(/^p\d{6,}$/),
  foundBy: z.enum(['scrub', 'verify']),
  foundAt: time,
  disks: z.array(
    z.strictObject({
      diskId,
      differingBytes: count,
      ranges: z.array(z.strictObject({ offset: count, length: count })),
    }),
  ),
  mac,
});

const stateSchema = z.strictObject({
  version: z.literal(1),
  itemId: z.string(),
  comparedBarrier: count,
  untold: z.array(count),
  totals: z.strictObject({
    blocks: count,
    bytes: count,
    differingBlocks: count,
    lastAt: time.nullable(),
    disks: z.array(z.strictObject({ diskId, pass: count, comparedBlocks: count, blocks: count })),
  }),
  mac,
});

/** Keyed hashes of blocks of the source's snapshot that barrier `barrierNumber` was read from. */
export interface ScrubSample {
  readonly version: 1;
  readonly itemId: ProtectedItemId;
  readonly barrierNumber: number;
  readonly sourceTime: string;
  readonly disks: readonly SampledDisk[];
}

export interface SampledDisk {
  readonly diskId: DiskId;
  /** Of the barrier: what changed since this point can still be told when the barrier is gone. */
  readonly changeId: string | null;
  readonly capacityBytes: number;
  readonly blockBytes: number;
  readonly pass: number;
  /** Number of the block, and its hash. */
  readonly blocks: readonly (readonly [number, string])[];
}

export interface ScrubState {
  readonly version: 1;
  readonly itemId: ProtectedItemId;
  /** Samples up to this barrier's are dealt with. */
  readonly comparedBarrier: number;
  /** Barriers of findings that health may not show yet: whoever found them may have died before it said so. */
  readonly untold: readonly number[];
  readonly totals: ScrubTotals;
}

interface Records {
  readonly storage: VaultStorage;
  readonly item: ProtectedItemId;
  readonly key: ItemKey;
  readonly signal?: AbortSignal;
}

/** The first sample of a barrier stays. */
export async function saveSample({ storage, key, signal }: Records, sample: ScrubSample): Promise<void> {
  const name = blobNames.scrubSample(sample.itemId, sample.barrierNumber);
  await storage.putOnce(name, signRecord(sample, key), signal);
}

/** Null: there is none, or it cannot be understood or was forged: then there is nothing to compare with. */
export async function loadSample(from: Records, barrierNumber: number): Promise<ScrubSample | null> {
  const sample = await load(from, blobNames.scrubSample(from.item, barrierNumber), sampleSchema);
  return sample?.barrierNumber === barrierNumber ? (sample as unknown as ScrubSample) : null;
}

/** The first finding about a point stays. */
export async function saveFinding({ storage, key, signal }: Records, finding: ScrubFinding): Promise<void> {
  const name = blobNames.scrubFinding(finding.itemId, finding.barrierNumber);
  await storage.putOnce(name, signRecord(finding, key), signal);
}

/** Null: nothing is known against the point. Without a key nobody's word is checked. */
export async function loadFinding(
  from: Omit<Records, 'key'> & { readonly key?: ItemKey },
  barrierNumber: number,
): Promise<ScrubFinding | null> {
  const finding = await load(from, blobNames.scrubFinding(from.item, barrierNumber), findingSchema);
  return finding?.barrierNumber === barrierNumber ? (finding as unknown as ScrubFinding) : null;
}

export async function saveState({ storage, key }: Records, state: ScrubState): Promise<void> {
  await storage.put(blobNames.scrubState(state.itemId), signRecord(state, key));
}

export async function loadState(from: Records): Promise<ScrubState | null> {
  return (await load(from, blobNames.scrubState(from.item), stateSchema)) as ScrubState | null;
}

export interface ScrubNames {
  /** Barriers that have a sample, ascending. */
  readonly samples: readonly number[];
  /** Barriers whose point was found to differ. */
  readonly findings: readonly number[];
}

export async function listScrub(
  storage: VaultStorage,
  item: ProtectedItemId,
  signal?: AbortSignal,
): Promise<ScrubNames> {
  const samples: number[] = [];
  const findings: number[] = [];
  const prefix = blobNames.scrubPrefix(item);
  for await (const { name } of storage.list(prefix, signal)) {
    const [, digits, differs] = /^(\d{8,})(-differs)?\.json$/.exec(name.slice(prefix.length)) ?? [];
    if (digits !== undefined) (differs === undefined ? samples : findings).push(Number(digits));
  }
  return { samples: samples.toSorted((a, b) => a - b), findings };
}

async function load<T extends { readonly itemId: string }>(
  { storage, item, key, signal }: Omit<Records, 'key'> & { readonly key?: ItemKey },
  name: string,
  schema: z.ZodType<T & { mac?: string | undefined }>,
): Promise<Omit<T, 'mac'> | null> {
  const stored = await storage.get(name, signal);
  if (stored === null || (key !== undefined && !isAuthentic(stored.body, key))) return null;
  const parsed = schema.safeParse(parsedJson(stored.body));
  if (!parsed.success || parsed.data.itemId !== item) return null;
  const { mac: _, ...record } = parsed.data;
  return record;
}

function parsedJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return null;
  }
}
