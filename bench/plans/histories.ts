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

export async function historiesOf(client: Client, workflowIds: readonly string[]): Promise<RunHistory[]> {
  const found: RunHistory[] = [];
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
