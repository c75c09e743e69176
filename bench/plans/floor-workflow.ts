/** What a workflow costs that only asks for activities, one after the other: nothing can be cheaper on the same server. */
import { proxyActivities } from '@temporalio/workflow';

export interface FloorInput {
  readonly count: number;
  /** Of the activities. */
  readonly taskQueue: string;
}

export async function floor({ count, taskQueue }: FloorInput): Promise<void> {
  const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({
    taskQueue,
    startToCloseTimeout: '1 minute',
  });
  for (let each = 0; each < count; each += 1) await nothing();
}
