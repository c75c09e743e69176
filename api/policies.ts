import { z } from 'zod';
import { nameSchema, pageOf, pageQuery } from './common.ts';
import { route } from './route.ts';

const policySchema = z
  .object({
    name: z.string(),
    intervalSeconds: z.number().int().describe('Time between recovery points'),
    retentionHours: z
      .number()
      .describe('Recovery points younger than this are kept; 0 keeps the newest only'),
    rpoThresholdSeconds: z.number().int().describe('Health turns to warning when the newest point is older'),
  })
  .meta({ id: 'Policy' });
export type Policy = z.output<typeof policySchema>;

export const policyRoutes = {
  createPolicy: route({
    method: 'POST',
    path: '/v1/policies',
    summary: 'Creates a replication policy; the same policy again is no error',
    body: z.strictObject({
      name: nameSchema,
      intervalSeconds: z.number().int().default(300),
      retentionHours: z.number().default(24),
      rpoThresholdSeconds: z
        .number()
        .int()
        .exactOptional()
        .describe('Absent: twice the interval, at least 15 minutes'),
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
