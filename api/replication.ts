/** Recovery points and what a running copy tells: raw facts, from which viewers compute rate, percent and time left. */
import { z } from 'zod';
import { timestampSchema } from './common.ts';

export const recoveryPointSchema = z
  .object({
    version: z.literal(1),
    pointId: z.string(),
    itemId: z.string(),
    barrierNumber: z.number().int(),
    consistency: z.enum(['crash', 'application']),
    sourceTime: timestampSchema,
    durableTime: timestampSchema,
    processedTime: timestampSchema,
    snapshotName: z.string(),
    disks: z.array(
      z.object({
        diskId: z.string(),
        replicaBlob: z.string(),
        snapshotId: z.string(),
        capacityBytes: z.number(),
        tail: z.object({ nextSeq: z.number().int(), hash: z.string() }),
      }),
    ),
    differs: z
      .array(
        z.object({
          diskId: z.string(),
          differingBytes: z.number(),
          ranges: z.array(z.object({ offset: z.number(), length: z.number() })),
        }),
      )
      .exactOptional()
      .describe('Where the point was found to differ from its source; absent: it is not known to'),
  })
  .meta({ id: 'RecoveryPoint' });
export type RecoveryPointView = z.output<typeof recoveryPointSchema>;

export const replicationProgressSchema = z
  .object({
    phase: z.enum(['initial', 'delta', 'final', 'verify']),
    barrierNumber: z.number().int(),
    startedAt: timestampSchema,
    at: timestampSchema,
    totalBytes: z.number(),
    doneBytes: z.number(),
    readBytes: z.number(),
    wireBytes: z.number(),
  })
  .meta({ id: 'ReplicationProgress' });
export type ReplicationProgressView = z.output<typeof replicationProgressSchema>;

export const replicationTotalsSchema = z
  .object({ cycles: z.number().int(), readBytes: z.number(), rawBytes: z.number(), wireBytes: z.number() })
  .meta({ id: 'ReplicationTotals' });

/** What comparing the source with the recovery points has come to since the machine was protected. */
export const scrubTotalsSchema = z
  .object({
    blocks: z.number().int(),
    bytes: z.number(),
    differingBlocks: z.number().int(),
    lastAt: timestampSchema.nullable(),
    disks: z.array(
      z.object({
        diskId: z.string(),
        pass: z.number().int(),
        comparedBlocks: z.number().int(),
        blocks: z.number().int(),
      }),
    ),
  })
  .meta({ id: 'ScrubTotals' });
export type ScrubTotalsView = z.output<typeof scrubTotalsSchema>;

/** A replication activity as Temporal last heard of it. */
export const replicationActivitySchema = z
  .object({
    activity: z.string(),
    attempt: z.number().int(),
    progress: replicationProgressSchema.optional(),
    totals: replicationTotalsSchema.optional(),
    scrub: scrubTotalsSchema.optional(),
    applyLagBytes: z
      .number()
      .optional()
      .describe('Bytes that are durable in the storage account and not applied to the replicas yet'),
    applyLagSeconds: z.number().optional().describe('Age of the oldest of them'),
  })
  .meta({ id: 'ReplicationActivity' });
export type ReplicationActivity = z.output<typeof replicationActivitySchema>;

export const recoveryPointChoiceSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['latest', 'latestProcessed', 'latestAppConsistent']) }),
  z.strictObject({
    kind: z.literal('custom'),
    pointId: z.string().regex(/^p\d{6,}$/, 'must look like p000012'),
  }),
]);
