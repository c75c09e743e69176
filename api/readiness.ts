/** Whether items and plans could make their next move now, and why not. */
import { z } from 'zod';
import { nameSchema, reasonSchema, timestampSchema, verification } from './common.ts';
import { route } from './route.ts';

const reached = {
  ready: z.boolean().describe('The next move could begin now and would keep what the policy promises'),
  expectedRtoSeconds: z
    .number()
    .optional()
    .describe('From earlier runs; of a plan, along the longest way through its groups. Absent: not known'),
  expectedRpoSeconds: z
    .number()
    .optional()
    .describe('Age of the newest recovery point; of a plan, the worst. Absent: not known'),
};

const itemReadinessSchema = z
  .object({
    itemId: z.string(),
    machineName: z.string(),
    nextMove: z.enum(['failover', 'failback']),
    ...reached,
    reasons: z.array(reasonSchema).describe('Why not, the oldest first'),
  })
  .meta({ id: 'ItemReadiness' });
export type ItemReadiness = z.output<typeof itemReadinessSchema>;

const planReadinessSchema = z
  .object({
    name: z.string(),
    version: z.number().int(),
    ...reached,
    reasons: z
      .array(reasonSchema.extend({ machine: z.string().optional().describe('Absent: it is about the plan') }))
      .describe('Why not, of the plan and all its machines, the oldest first'),
    ...verification,
    members: z.array(itemReadinessSchema.extend({ group: z.string() })),
  })
  .meta({ id: 'PlanReadiness' });
export type PlanReadiness = z.output<typeof planReadinessSchema>;

const readinessSchema = z
  .object({
    at: timestampSchema.describe('Clock of the configuration server; ages are counted from here'),
    items: z.array(itemReadinessSchema),
    plans: z.array(planReadinessSchema.omit({ members: true })),
  })
  .meta({ id: 'Readiness' });
export type ReadinessAnswer = z.output<typeof readinessSchema>;

export const readinessRoutes = {
  getReadiness: route({
    method: 'GET',
    path: '/v1/readiness',
    summary: 'Readiness of every protected item and every recovery plan, worked out now',
    status: 200,
    response: readinessSchema,
  }),
  getPlanReadiness: route({
    method: 'GET',
    path: '/v1/recovery-plans/:name/readiness',
    summary: 'Readiness of the newest version of a recovery plan and of its machines, worked out now',
    params: z.object({ name: nameSchema }),
    status: 200,
    response: planReadinessSchema,
  }),
  getMetrics: route({
    method: 'GET',
    path: '/metrics',
    summary: 'Readiness as metrics, in the text format of Prometheus (docs/readiness.md)',
    status: 200,
    answers: 'metrics',
    response: z.string(),
  }),
};
