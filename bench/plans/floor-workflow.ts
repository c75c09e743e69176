/** What a workflow costs that only asks for activities, one after the other: nothing can be cheaper on the same server. */
import { proxyActivities } from '@temporalio/workflow';

const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({ startToCloseTimeout: '1 minute' });

export async function floor(count: number): Promise<void> {
  for (let each = 0; each < count; each += 1) await nothing();
}
