/** What runs have left in Temporal. */
import type { Client } from '@temporalio/client';

export interface RunHistory {
  readonly workflowId: string;
  readonly events: number;
  readonly bytes: number;
  /** Activities that were asked for. */
  readonly activities: number;
}

const AT_ONCE = 16;

/** The run of the plan, and those of its machines, as Temporal lists them. */
export async function historiesOf(client: Client, plan: string, runId: string): Promise<RunHistory[]> {
  const found: RunHistory[] = [];
  const workflowIds = [plan];
  for await (const { workflowId } of client.workflow.list()) {
    if (workflowId.includes(`/${runId}-`)) workflowIds.push(workflowId);
  }
  const queue = workflowIds.values();
  const readNext = async () => {
    for (const workflowId of queue) found.push(await historyOf(client, workflowId));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, readNext));
  return found;
}

async function historyOf(client: Client, workflowId: string): Promise<RunHistory> {
  const handle = client.workflow.getHandle(workflowId);
  const [{ historyLength, historySize }, { events = [] }] = await Promise.all([
    handle.describe(),
    handle.fetchHistory(),
  ]);
  return {
    workflowId,
    events: historyLength,
    bytes: historySize ?? 0,
    activities: (events ?? []).filter(({ activityTaskScheduledEventAttributes: asked }) => asked != null)
      .length,
  };
}
