import { z } from 'zod';
import {
  acceptedSchema,
  itemParams,
  nameSchema,
  operationIdSchema,
  pageOf,
  pageQuery,
  problemSchema,
  textSchema,
  timestampSchema,
} from './common.ts';
import { itemDetailSchema, itemSchema } from './item-view.ts';
import { checkBodySchema, operationRoutes } from './operations.ts';
import { recoveryPointSchema } from './replication.ts';
import { route } from './route.ts';
import { newTargetSchema } from './target.ts';

export type { ProtectedItem, ProtectedItemDetail } from './item-view.ts';

const checkResultSchema = z
  .object({
    problems: z.array(problemSchema).describe('Everything that stands in the way; empty: nothing does'),
    checkedAt: timestampSchema,
  })
  .meta({ id: 'CheckResult' });
export type CheckResult = z.output<typeof checkResultSchema>;

export const protectedItemRoutes = {
  protect: route({
    method: 'POST',
    path: '/v1/protected-items',
    summary: 'Protects a machine; watch the job of the operation id',
    body: z.strictObject({
      machine: textSchema.describe('Id of the machine, or its name where it is unique'),
      policy: nameSchema,
      excludedDisks: z.array(z.number().int()).max(100).default([]).describe('Device keys left out'),
      target: newTargetSchema,
      physical: z
        .boolean()
        .default(false)
        .describe('It is a physical server: it comes home as a new VMware machine only'),
      operationId: operationIdSchema.exactOptional(),
    }),
    status: 202,
    response: acceptedSchema,
  }),
  listItems: route({
    method: 'GET',
    path: '/v1/protected-items',
    summary: 'Protected items by machine name',
    query: z.strictObject(pageQuery),
    status: 200,
    response: pageOf(itemSchema),
  }),
  getItem: route({
    method: 'GET',
    path: '/v1/protected-items/:id',
    summary: 'One protected item, with its newest recovery point and what replication is doing now',
    params: itemParams,
    status: 200,
    response: itemDetailSchema,
  }),
  listRecoveryPoints: route({
    method: 'GET',
    path: '/v1/protected-items/:id/recovery-points',
    summary: 'Recovery points, newest first',
    params: itemParams,
    query: z.strictObject(pageQuery),
    status: 200,
    response: pageOf(recoveryPointSchema),
  }),
  checkItem: route({
    method: 'POST',
    path: '/v1/protected-items/:id/check',
    summary: 'Runs every check before an operation without doing it, and tells all problems at once',
    params: itemParams,
    body: checkBodySchema,
    status: 200,
    response: checkResultSchema,
  }),
  ...operationRoutes,
};
