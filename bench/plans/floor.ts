/**
 * What the server itself needs for activities that do nothing, asked for by workflows that do nothing else. A worker
 * that runs both gets its activities together with its workflow's answer; those of other workers travel, and cost more.
 */
import type { Client } from '@temporalio/client';
import type { FloorInput } from './floor-workflow.ts';
import { FLOOR_QUEUES } from './names.ts';

const WORKFLOWS = 100;
const ACTIVITIES_EACH = 40;

/** Where an activity ran, as seen from its workflow. */
export type Where = keyof typeof FLOOR_QUEUES;
export type CountByPlace = Readonly<Record<Where, number>>;

export const FLOOR_ACTIVITIES = WORKFLOWS * ACTIVITIES_EACH;

/** Activities a second. */
export async function floorRate(client: Client, where: Where): Promise<number> {
  const startedAt = performance.now();
  const input: FloorInput = { count: ACTIVITIES_EACH, taskQueue: FLOOR_QUEUES[where] };
  const runs = Array.from({ length: WORKFLOWS }, (_, index) =>
    client.workflow.execute('floor', {
      taskQueue: FLOOR_QUEUES.here,
      workflowId: `floor/${where}/${index}`,
      args: [input],
    }),
  );
  await Promise.all(runs);
  return FLOOR_ACTIVITIES / ((performance.now() - startedAt) / 1_000);
}

/** Seconds that the activities would take at the server's own rates. */
export function floorSeconds(asked: CountByPlace, rates: CountByPlace): number {
  return asked.here / rates.here + asked.elsewhere / rates.elsewhere;
}
