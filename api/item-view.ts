/** A protected item as it is shown. */
import { z } from 'zod';
import { drillStates, itemOperations, itemStates } from '../domain/protected-item.ts';
import { directions } from '../domain/streams.ts';
import { prioritySchema, problemSchema, timestampSchema } from './common.ts';
import { shownPolicyValues } from './policies.ts';
import { recoveryPointSchema, replicationActivitySchema } from './replication.ts';
import { shownTargetSchema } from './target.ts';

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
      joinedAtBarrier: z.number().int().optional(),
    }),
  ),
  policy: z.object({ id: z.string(), ...shownPolicyValues }),
  target: shownTargetSchema,
  hardware: z
    .object({
      guestId: z.string(),
      cpuCount: z.number().int(),
      memoryMiB: z.number(),
      nics: z.array(
        z.object({ deviceKey: z.number().int(), macAddress: z.string(), networkName: z.string() }),
      ),
      datastore: z.string(),
    })
    .optional(),
  isPhysical: z.literal(true).optional(),
  excludedDisks: z.array(z.number().int()).optional(),
  priority: prioritySchema.optional(),
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
    sharedGroup: z
      .literal(true)
      .optional()
      .describe("The group is the operator's own: it stays when the run's resources go"),
    baselineSnapshotIds: z
      .array(z.string())
      .optional()
      .describe('Snapshots of the disks before the first boot, in disk order'),
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

const inputFieldSchema = z
  .object({
    name: z.string(),
    kind: z.enum([
      'recoveryPoint',
      'subnet',
      'text',
      'flag',
      'deviceKeys',
      'policy',
      'target',
      'place',
      'priority',
    ]),
    required: z.boolean(),
    means: z.string(),
    example: z.unknown(),
  })
  .meta({ id: 'InputField' });

export const itemSchema = z
  .object({
    itemId: z.string(),
    machineName: z.string(),
    vcenterId: z.string(),
    state: z.enum(itemStates),
    activeLocation: z.enum(['onPremises', 'azure']),
    direction: z.enum(directions).describe('Forward: from the site to Azure. Reverse: home again'),
    paused: z.boolean().describe('An operator has paused replication'),
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
      last: z
        .object({
          runId: z.string(),
          endedAt: timestampSchema,
          clean: z.boolean().describe('Its machine ran, and nothing of it was left after cleanup'),
          notes: z.string(),
        })
        .optional()
        .describe('The last drill that was cleaned up'),
    }),
    allowedOperations: z
      .array(
        z.object({
          operation: z.enum(itemOperations),
          allowed: z.boolean(),
          reason: z.string().optional(),
          input: z.array(inputFieldSchema).optional().describe('What it takes; present when allowed'),
        }),
      )
      .describe('Every operation, allowed or with the reason why not'),
    spec: specSchema.optional(),
    policyId: z.string(),
    failover: failoverResultSchema.optional(),
    home: z
      .object({
        generation: z.number().int().describe("Counts the item's ways home"),
        machineId: z.string(),
        isOriginal: z.boolean().describe('False: the machine was made by reprotect'),
      })
      .optional()
      .describe("The way home, from reprotect to the failback's commit"),
    running: z.object({ operation: z.string(), operationId: z.string() }).optional(),
    protectedSince: timestampSchema.optional(),
    revision: z.number().int(),
  })
  .meta({ id: 'ProtectedItem' });
export type ProtectedItem = z.output<typeof itemSchema>;

export const itemDetailSchema = itemSchema
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
