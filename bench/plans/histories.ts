/** What runs have left in Temporal. */
import type { Client } from '@temporalio/client';
import { taskQueues } from '../../workflows/contracts/task-queues.ts';
import { workflowTypes } from '../../workflows/contracts/messages.ts';
import type { CountByPlace } from './floor.ts';

export interface RunHistory {
  readonly workflowId: string;
  readonly events: number;
  readonly bytes: number;
  /** Activities that were asked for. */
  readonly activities: CountByPlace;
}

const AT_ONCE = 16;

export interface Asked {
  readonly plan: string;
  readonly runId: string;
  readonly startedAt: Date;
}

/** The run of the plan, those of its machines, and what their protected items have asked for since it started. */
export async function historiesOf(client: Client, { plan, runId, startedAt }: Asked): Promise<RunHistory[]> {
  const found: RunHistory[] = [];
  const asked = [plan];
  for await (const { workflowId, type } of client.workflow.list()) {
    const isOfRun = workflowId.includes(`/${runId}-`) || type === workflowTypes.protectedItem;
    if (isOfRun) asked.push(workflowId);
  }
  const queue = asked.values();
  const readNext = async () => {
    for (const workflowId of queue) found.push(await historyOf(client, workflowId, startedAt));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, readNext));
  return found;
}

async function historyOf(client: Client, workflowId: string, since: Date): Promise<RunHistory> {
  const handle = client.workflow.getHandle(workflowId);
  const [{ historyLength, historySize }, { events = [] }] = await Promise.all([
    handle.describe(),
    handle.fetchHistory(),
  ]);
  const queues = (events ?? [])
    .filter(({ eventTime }) => isSince(eventTime, since))
    .flatMap(({ activityTaskScheduledEventAttributes: asked }) => asked?.taskQueue?.name ?? []);
  const here = queues.filter((name) => name === taskQueues.control).length;
  const activities = { here, elsewhere: queues.length - here };
  return { workflowId, events: historyLength, bytes: historySize ?? 0, activities };
}

type EventTime = { readonly seconds?: { toNumber(): number } | null; readonly nanos?: number | null };

function isSince(at: EventTime | null | undefined, since: Date): boolean {
  const ms = (at?.seconds?.toNumber() ?? 0) * 1_000 + (at?.nanos ?? 0) / 1_000_000;
  return ms >= since.getTime();
}
