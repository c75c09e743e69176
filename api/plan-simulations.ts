/** What a run of a recovery plan would be like, before anything is touched. */
import { z } from 'zod';
import { clashKinds } from '../domain/plan/clashes.ts';
import { planRunKinds } from '../domain/plan/plan.ts';
import { nameSchema, subnetIdSchema, timestampSchema } from './common.ts';
import { route } from './route.ts';

const SEED_MAX = 2 ** 31 - 1;
const share = z.number().min(0).max(1);

const simulationSchema = z
  .object({
    name: z.string(),
    version: z.number().int(),
    kind: z.enum(planRunKinds),
    madeAt: timestampSchema,
    seed: z.number().int().describe('The same seed over the same catalogue gives the same answer'),
    runs: z.number().int().describe('Repetitions played: as asked for, or fewer for a large plan'),
    rtoSeconds: z
      .object({ p50: z.number(), p90: z.number(), min: z.number(), max: z.number() })
      .describe('From the begin of the run to its end'),
    rpoSeconds: z.number().optional().describe('The worst of its machines. Absent: not known'),
    members: z.array(
      z.object({
        itemId: z.string(),
        machineName: z.string(),
        group: z.string(),
        rpoSeconds: z
          .number()
          .optional()
          .describe('Age of the newest recovery point; a failover with the source shut down loses less'),
      }),
    ),
    cost: z
      .object({
        amount: z.number().describe('Of its machines that have a price'),
        currency: z.string().describe("Of the plan's limit, else USD"),
        hours: z.number().int().describe('`drill.cleanupAfter`: begun hours count as whole ones'),
        limit: z.number().optional().describe('`drill.costLimit` of the plan'),
        counted: z.string().describe('What is in the amount, and what is not'),
        machines: z
          .array(z.object({ machineName: z.string(), amount: z.number() }))
          .describe('The dearest first'),
        unpriced: z.array(z.string()).describe('Machines without a price, not in the amount'),
      })
      .optional()
      .describe('Of a drill, as it is held against the limit when it begins. Absent: not known'),
    criticalPath: z.object({
      share: share.describe('Of the repetitions, those that ended by this very chain'),
      links: z.array(
        z.object({
          kind: z
            .enum(['step', 'ready', 'group'])
            .describe('ready: the machines of all groups, up to the moment before they start'),
          name: z.string().describe('Of the step or the group'),
          machine: z.string().optional().describe('The one that most often decided when it was done'),
          share: share.describe('Of all repetitions, those in which this step or machine decided the end'),
        }),
      ),
    }),
    clashes: z.array(
      z.object({ kind: z.enum(clashKinds), message: z.string(), machines: z.array(z.string()) }),
    ),
    assumptions: z.array(z.string()).describe('What stands on few earlier runs, or on none'),
    notChecked: z.array(z.string()).describe('What could not be looked at'),
  })
  .meta({ id: 'PlanSimulation' });
export type PlanSimulationView = z.output<typeof simulationSchema>;

export const planSimulationRoutes = {
  simulatePlan: route({
    method: 'POST',
    path: '/v1/recovery-plans/:name/simulations',
    summary:
      'Plays a run of the plan as it was applied last, with durations of earlier runs; nothing is touched',
    params: z.object({ name: nameSchema }),
    body: z.strictObject({
      kind: z.enum(planRunKinds),
      runs: z.int().min(100).max(100_000).default(1_000).describe('Repetitions'),
      seed: z.int().min(0).max(SEED_MAX).exactOptional().describe('Absent: another one each time'),
      subnetId: subnetIdSchema.exactOptional().describe("Of a drill; absent: the plan's own"),
    }),
    status: 200,
    response: simulationSchema,
  }),
};
