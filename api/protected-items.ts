import { z } from 'zod';
import { drillStates, itemOperations, itemStates } from '../domain/protected-item.ts';
import {
  acceptedSchema,
  nameSchema,
  operationIdSchema,
  pageOf,
  pageQuery,
  problemSchema,
  subnetIdSchema,
  textSchema,
  timestampSchema,
} from './common.ts';
import { recoveryPointChoiceSchema, recoveryPointSchema, replicationActivitySchema } from './replication.ts';
import { route } from './route.ts';

const targetSchema = z.object({
  location: z.string(),
  vmSize: z.string(),
  subnetId: z.string(),
  privateIpAddress: z.string().optional(),
});

const specSchema = z.object({
  version: z.literal(1),
  itemId: z.string(),
  machineId: z.string(),
  machineName: z.string(),
  vcenterId: z.string(),
  site: z.string(),
  guestFamily: z.enum(['linux', 'windows', 'other']),
  firmware: z.enum(['bios', 'efi']),
  disks: z.array(
    z.object({
      diskId: z.string(),
      deviceKey: z.number().int(),
      label: z.string(),
      capacityBytes: z.number(),
      index: z.number().int(),
    }),
  ),
  policy: z.object({
    id: z.string(),
    intervalSeconds: z.number(),
    retentionHours: z.number(),
    rpoThresholdSeconds: z.number(),
  }),
  target: targetSchema,
});

const failoverResultSchema = z
  .object({
    runId: z.string(),
    mode: z.enum(['test', 'real']),
    point: recoveryPointSchema,
    vmId: z.string(),
    diskIds: z.array(z.string()),
    privateIpAddress: z.string(),
    resourceGroup: z.string(),
    source: z.enum(['shutDown', 'poweredOff', 'alreadyOff', 'notAsked', 'sourceStateUnknown']),
    finalBarrier: z
      .number()
      .int()
      .nullable()
      .describe(
        'Barrier of the last delta, read after replication had stopped; null: the newest durable before',
      ),
    rtoSeconds: z.number(),
    rpoSeconds: z.number(),
  })
  .meta({ id: 'FailoverResult' });

const itemSchema = z
  .object({
    itemId: z.string(),
    machineName: z.string(),
    vcenterId: z.string(),
    state: z.enum(itemStates),
    activeLocation: z.enum(['onPremises', 'azure']),
    health: z.enum(['normal', 'warning', 'critical']),
    conditions: z.array(
      z.object({
        type: z.string(),
        category: z.enum(['critical', 'warning']),
        reason: z.string(),
        suggestion: z.string(),
        since: timestampSchema,
      }),
    ),
    drill: z.object({
      state: z.enum(drillStates),
      runId: z.string().optional(),
      result: failoverResultSchema.optional(),
    }),
    allowedOperations: z
      .array(
        z.object({ operation: z.enum(itemOperations), allowed: z.boolean(), reason: z.string().optional() }),
      )
      .describe('Every operation, allowed or with the reason why not'),
    spec: specSchema.optional(),
    policyId: z.string(),
    failover: failoverResultSchema.optional(),
    running: z.object({ operation: z.string(), operationId: z.string() }).optional(),
    protectedSince: timestampSchema.optional(),
    revision: z.number().int(),
  })
  .meta({ id: 'ProtectedItem' });
export type ProtectedItem = z.output<typeof itemSchema>;

const itemDetailSchema = itemSchema
  .extend({
    observedFrom: z
      .enum(['workflow', 'catalogue'])
      .describe('`catalogue` when Temporal does not answer: what was last recorded'),
    observedAt: timestampSchema.describe('Clock of the configuration server; ages are counted from here'),
    latestRecoveryPoint: recoveryPointSchema.optional(),
    recoveryPointsProblem: problemSchema
      .optional()
      .describe('Why recovery points cannot be read now; `latestRecoveryPoint` is absent meanwhile'),
    activities: z.array(replicationActivitySchema),
  })
  .meta({ id: 'ProtectedItemDetail' });
export type ProtectedItemDetail = z.output<typeof itemDetailSchema>;

const idParams = z.object({
  id: textSchema.describe('Id of the item, or the name of its machine where it is unique'),
});

export const protectedItemRoutes = {
  protect: route({
    method: 'POST',
    path: '/v1/protected-items',
    summary: 'Protects a machine; watch the job of the operation id',
    body: z.strictObject({
      machine: textSchema.describe('Id of the machine, or its name where it is unique'),
      policy: nameSchema,
      excludedDisks: z.array(z.number().int()).max(100).default([]).describe('Device keys left out'),
      target: z.strictObject({
        location: z.string().regex(/^[a-z0-9]{2,40}$/, 'must be a region such as westeurope'),
        vmSize: z.string().regex(/^[A-Za-z0-9_-]{2,80}$/, 'must be a VM size such as Standard_D2s_v5'),
        subnetId: subnetIdSchema,
        privateIpAddress: z.ipv4().exactOptional(),
      }),
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
    params: idParams,
    status: 200,
    response: itemDetailSchema,
  }),
  listRecoveryPoints: route({
    method: 'GET',
    path: '/v1/protected-items/:id/recovery-points',
    summary: 'Recovery points, newest first',
    params: idParams,
    query: z.strictObject(pageQuery),
    status: 200,
    response: pageOf(recoveryPointSchema),
  }),
  testFailover: route({
    method: 'POST',
    path: '/v1/protected-items/:id/test-failover',
    summary: 'Starts a drill in an isolated network',
    params: idParams,
    body: z.strictObject({
      choice: recoveryPointChoiceSchema,
      subnetId: subnetIdSchema,
      operationId: operationIdSchema.exactOptional(),
    }),
    status: 202,
    response: acceptedSchema,
  }),
  cleanupTestFailover: route({
    method: 'POST',
    path: '/v1/protected-items/:id/cleanup-test-failover',
    summary: 'Removes everything the drill made, and proves it',
    params: idParams,
    body: z.strictObject({
      notes: z
        .string()
        .max(4000)
        .regex(
          /^(?:[^\p{Cc}\p{Cs}]|[\t\n\r])*$/u,
          'must not hold control characters but line breaks and tabs',
        )
        .default(''),
      operationId: operationIdSchema.exactOptional(),
    }),
    status: 202,
    response: acceptedSchema,
  }),
  failover: route({
    method: 'POST',
    path: '/v1/protected-items/:id/failover',
    summary: 'Fails the machine over to Azure',
    params: idParams,
    body: z.strictObject({
      choice: recoveryPointChoiceSchema,
      shutdownSource: z.boolean(),
      operationId: operationIdSchema.exactOptional(),
    }),
    status: 202,
    response: acceptedSchema,
  }),
  commit: route({
    method: 'POST',
    path: '/v1/protected-items/:id/commit',
    summary: 'Makes a failover final',
    params: idParams,
    body: z.strictObject({ operationId: operationIdSchema.exactOptional() }),
    status: 202,
    response: acceptedSchema,
  }),
  disable: route({
    method: 'POST',
    path: '/v1/protected-items/:id/disable',
    summary: 'Ends protection: deletes replicas, recovery points, journal and data key of the item',
    params: idParams,
    body: z.strictObject({ operationId: operationIdSchema.exactOptional() }),
    status: 202,
    response: acceptedSchema,
  }),
};
