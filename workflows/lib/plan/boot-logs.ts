/** What the machines of a run said while they started: kept beside the evidence before anything is taken back. */
import type { MemberRecord } from '../../../domain/evidence/record.ts';
import type { PlanRunInput, RunMember } from '../../contracts/plan.ts';
import { jobError } from '../failures.ts';
import { now } from '../job-log.ts';
import { bootLogCalls } from '../proxies.ts';
import type { PlanContext } from './context.ts';

/** By item id. */
export type BootLogs = Readonly<Record<string, NonNullable<MemberRecord['bootLog']>>>;

/** Of one machine; and of all machines of a run together, so that a page of evidence stays one that people open. */
const BYTES_MAX = 65_536;
const ALL_BYTES_MAX = 8 * 1_048_576;
/** Asked for in one activity. */
const BATCH_MAX = 25;

/** Never fails: what could not be read says why. */
export async function keepBootLogs({ input, machines, book }: PlanContext): Promise<BootLogs> {
  if (input.kind !== 'test' && input.kind !== 'failover') return {};
  const moved = new Set(
    book.members.filter(({ outcome }) => outcome === 'succeeded').map(({ itemId }) => itemId),
  );
  const started = input.members.flatMap((member) => {
    const vmId = machines[member.machineName]?.vmId;
    return vmId === undefined || !moved.has(member.itemId) ? [] : [{ ...member, vmId }];
  });
  const bytesMax = Math.floor(Math.min(BYTES_MAX, ALL_BYTES_MAX / Math.max(1, started.length)));
  const regions = [...Map.groupBy(started, ({ location }) => location)];
  const kept = await Promise.all(
    regions.flatMap(([location, here]) =>
      batchesOf(here).map((batch) => keepBatch(input, location, batch, bytesMax)),
    ),
  );
  return Object.assign({}, ...kept) as BootLogs;
}

type Started = RunMember & { readonly vmId: string };

async function keepBatch(
  { runId, plan }: PlanRunInput,
  location: string,
  batch: readonly Started[],
  bytesMax: number,
): Promise<BootLogs> {
  const machines = batch.map(({ itemId, vmId }) => ({ itemId, vmId }));
  try {
    return await bootLogCalls(location).keepBootLogs({ runId, planName: plan.name, bytesMax, machines });
  } catch (error) {
    const problem = jobError(error).message;
    return Object.fromEntries(machines.map(({ itemId }) => [itemId, { at: now(), problem }]));
  }
}

function batchesOf(machines: readonly Started[]): Started[][] {
  const count = Math.ceil(machines.length / BATCH_MAX);
  return Array.from({ length: count }, (_, index) =>
    machines.slice(index * BATCH_MAX, (index + 1) * BATCH_MAX),
  );
}
