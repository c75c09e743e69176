import { z } from 'zod';
import { nameSchema, pageOf, pageQuery } from './common.ts';
import { route } from './route.ts';

const autoResyncSchema = z
  .strictObject({ fromHour: z.number().int(), toHour: z.number().int() })
  .describe(
    'Hours of the day (UTC) in which a resync may start by itself; from may be after to: over midnight',
  );

const failbackValues = {
  intervalSeconds: z.number().int().describe('Time between states of the machine at home'),
  rpoThresholdSeconds: z.number().int().describe('Health turns to warning when the newest state is older'),
};

/** Of a policy as it is shown, alone and inside an item. */
export const shownPolicyValues = {
  intervalSeconds: z.number().int().describe('Time between recovery points'),
  retentionHours: z.number().describe('Recovery points younger than this are kept; 0 keeps the newest only'),
  rpoThresholdSeconds: z.number().int().describe('Health turns to warning when the newest point is older'),
  appConsistentHours: z
    .number()
    .int()
    .optional()
    .describe('Time between application-consistent points; absent: none are made'),
  autoResync: autoResyncSchema.optional(),
  failback: z.object(failbackValues).optional().describe('Used on the way home; made with every policy'),
};

const policySchema = z.object({ name: z.string(), ...shownPolicyValues }).meta({ id: 'Policy' });
export type Policy = z.output<typeof policySchema>;

export const policyRoutes = {
  createPolicy: route({
    method: 'POST',
    path: '/v1/policies',
    summary: 'Creates a replication policy and its failback policy; the same policy again is no error',
    body: z.strictObject({
      name: nameSchema,
      intervalSeconds: z.number().int().default(300),
      retentionHours: z.number().default(24),
      rpoThresholdSeconds: z
        .number()
        .int()
        .exactOptional()
        .describe('Absent: twice the interval, at least 15 minutes'),
      appConsistentHours: z.number().int().default(0).describe('0: none are made'),
      autoResync: autoResyncSchema.exactOptional(),
      failback: z
        .strictObject({
          intervalSeconds: failbackValues.intervalSeconds.exactOptional(),
          rpoThresholdSeconds: failbackValues.rpoThresholdSeconds.exactOptional(),
        })
        .default({})
        .describe(
          "Absent: the policy's interval, at least 5 minutes; warning after twice that, at least 15 minutes",
        ),
    }),
    status: 201,
    response: policySchema,
  }),
  listPolicies: route({
    method: 'GET',
    path: '/v1/policies',
    summary: 'Replication policies by name',
    query: z.strictObject(pageQuery),
    status: 200,
    response: pageOf(policySchema),
  }),
};
