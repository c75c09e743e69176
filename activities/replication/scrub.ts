/** Scrubbing inside the sessions: sampled at the end of a cycle, compared once the point is made. Neither may hold replication up. */
import { DrError } from '../../domain/errors.ts';
import type { Condition } from '../../domain/health.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { Barrier } from '../../domain/replication.ts';
import type { ScrubFinding } from '../../domain/scrub.ts';
import { openItemKey } from '../../dataplane/keys.ts';
import { compareSamples, type SamplesCompared } from '../../dataplane/scrub/compare-samples.ts';
import { takeSample } from '../../dataplane/scrub/take-sample.ts';
import type { ApplyPorts } from './create-apply-activities.ts';
import type { CycleHooks, FrozenState } from './frozen-state.ts';
import type { MovePorts } from './read-cycle.ts';

/** At most this of an interval, on either side. */
const SHARE_OF_INTERVAL = 1 / 4;
const TIME_MS_MAX = 60_000;
/** In the words of a condition. */
const OFFSETS_SHOWN = 4;

export const REPLICA_DIFFERS = 'DR_HEALTH_REPLICA_DIFFERS';

interface Sampled {
  readonly item: ItemSpec;
  readonly epoch: number;
  readonly frozen: FrozenState;
  /** What the cycle has made. */
  readonly barrier: Barrier;
  /** The point before it. */
  readonly base: Barrier;
}

/**
 * Samples the state that the barrier was read from, while its snapshot is there. The barrier is durable already: a
 * source or an account that fails now fails no cycle.
 */
export async function sampleForScrub(
  ports: MovePorts,
  { item, epoch, frozen, barrier, base }: Sampled,
  { signal }: CycleHooks,
): Promise<void> {
  const { storage, vaultKey, scrubPercentPerDay = 0 } = ports;
  const isOfThisState = barrier.epoch === epoch && barrier.sourceTime === frozen.takenAt;
  if (scrubPercentPerDay === 0 || !isOfThisState || barrier.kind !== 'point') return;
  await unlessFailing(signal, async () =>
    takeSample({
      storage,
      key: await openItemKey(storage, vaultKey, item.itemId),
      barrier,
      disks: frozen.disks,
      since: base.sourceTime,
      percentPerDay: scrubPercentPerDay,
      timeMs: timeFor(item),
      signal,
    }),
  );
}

/** Undefined: the account does not answer. Then nothing is known, and the next point's turn compares again. */
export async function scrubPoints(
  { storage, vaultKey }: ApplyPorts,
  item: ItemSpec,
  applied: { readonly appliedBarrier: number; readonly isKnown: boolean },
  signal: AbortSignal,
): Promise<SamplesCompared | undefined> {
  return unlessFailing(signal, async () => {
    const key = await openItemKey(storage, vaultKey, item.itemId);
    const timeMs = timeFor(item);
    return compareSamples({ storage, item: item.itemId, key, ...applied, timeMs, signal });
  });
}

/** What health shows of the points that differ. */
export function differenceCondition(
  item: ItemSpec,
  findings: readonly ScrubFinding[],
): Omit<Condition, 'since'> | undefined {
  const [first] = findings;
  if (first === undefined) return undefined;
  const disks = first.disks.map(({ diskId, ranges, differingBytes }) => {
    const label = item.disks.find((disk) => disk.diskId === diskId)?.label ?? diskId;
    const offsets = ranges.slice(0, OFFSETS_SHOWN).map(({ offset }) => offset);
    return `"${label}" at byte ${offsets.join(', ')} (${differingBytes} bytes found)`;
  });
  return {
    type: REPLICA_DIFFERS,
    category: 'critical',
    reason: `recovery point ${first.pointId} differs from its source: ${disks.join('; ')}; later points may, too`,
    suggestion:
      'Resync the machine: `switchback item resync`. `switchback item points` shows the points known to differ.',
  };
}

async function unlessFailing<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted || !(error instanceof DrError)) throw error;
    return undefined;
  }
}

function timeFor({ policy }: ItemSpec): number {
  return Math.min(policy.intervalSeconds * 1_000 * SHARE_OF_INTERVAL, TIME_MS_MAX);
}
