/** The rate of the server itself: activities that do nothing, asked for by workflows that do nothing else. */
import type { Client } from '@temporalio/client';
import { FLOOR_QUEUE } from './names.ts';

const WORKFLOWS = 100;
const ACTIVITIES_EACH = 40;

/** Activities per second. */
export async function floorRate(client: Client): Promise<number> {
  const startedAt = performance.now();
  const runs = Array.from({ length: WORKFLOWS }, (_, index) =>
    client.workflow.execute('floor', {
      taskQueue: FLOOR_QUEUE,
      workflowId: `floor/${startedAt}/${index}`,
      args: [ACTIVITIES_EACH],
    }),
  );
  await Promise.all(runs);
  return (WORKFLOWS * ACTIVITIES_EACH) / ((performance.now() - startedAt) / 1_000);
}
