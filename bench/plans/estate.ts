/** Many protected machines and the plan over them, as an operator would have them. */
import { WithStartWorkflowOperation, type Client } from '@temporalio/client';
import { stringify } from 'yaml';
import { asId, type ProtectedItemId } from '../../domain/ids.ts';
import { waitFor } from '../../lab/wait.ts';
import { protectInput } from '../../test/workflows/support/world/samples.ts';
import { workflowIds } from '../../workflows/contracts/ids.ts';
import { describeQuery, protectUpdate, workflowTypes } from '../../workflows/contracts/messages.ts';
import { taskQueues } from '../../workflows/contracts/task-queues.ts';
import { REGION, SITE, SUBNET } from './names.ts';

/** Groups of one application wait for each other; applications run beside each other. */
const TIERS = 5;
const AT_ONCE = 32;
const WITHIN_MS = 600_000;

export interface Estate {
  readonly itemIds: readonly ProtectedItemId[];
  readonly planText: string;
}

export async function protectEstate(
  client: Client,
  { machines, groups }: { readonly machines: number; readonly groups: number },
): Promise<Estate> {
  const itemIds = Array.from({ length: machines }, (_, index) =>
    asId<ProtectedItemId>(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`),
  );
  const queue = itemIds.entries();
  const protectNext = async () => {
    for (const [index, itemId] of queue) await protect(client, itemId, nameOf(index));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, protectNext));
  for (const itemId of itemIds) {
    const handle = client.workflow.getHandle(workflowIds.protectedItem(itemId));
    const isProtected = async () => (await handle.query(describeQuery)).state === 'protected';
    await waitFor(isProtected, { what: `${itemId} to be protected`, withinMs: WITHIN_MS });
  }
  return { itemIds, planText: planOf(machines, groups) };
}

function planOf(machines: number, groups: number): string {
  return stringify({
    apiVersion: 'switchback/v1',
    kind: 'RecoveryPlan',
    name: 'estate',
    groups: Array.from({ length: groups }, (_, group) => ({
      name: `g${group}`,
      ...(group % TIERS === 0 ? {} : { after: [`g${group - 1}`] }),
      members: Array.from({ length: machines }, (_each, index) => index)
        .filter((index) => index % groups === group)
        .map((index) => ({ machine: nameOf(index) })),
    })),
  });
}

async function protect(client: Client, itemId: ProtectedItemId, machineName: string): Promise<void> {
  const input = {
    ...protectInput({ itemId, operationId: asId(`protect-${itemId}`) }),
    machineName,
    site: SITE,
    target: { location: REGION, vmSize: 'Standard_D2s_v5', subnetId: SUBNET },
  };
  await client.workflow.executeUpdateWithStart(protectUpdate, {
    args: [input],
    updateId: input.operationId,
    startWorkflowOperation: new WithStartWorkflowOperation(workflowTypes.protectedItem, {
      workflowId: workflowIds.protectedItem(itemId),
      taskQueue: taskQueues.control,
      args: [{}],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  });
}

const nameOf = (index: number) => `machine-${String(index).padStart(4, '0')}`;
