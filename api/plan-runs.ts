/** Runs of recovery plans. A run is a job: watch it, decide about it and list it as any other. */
import { z } from 'zod';
import { planRunKinds } from '../domain/plan/plan.ts';
import { acceptedSchema, nameSchema, operationIdSchema, subnetIdSchema, timestampSchema } from './common.ts';
import { operationBodies } from './operations.ts';
import { recoveryPointChoiceSchema } from './replication.ts';
import { route } from './route.ts';

const planParams = z.object({ name: nameSchema });

const commonPointSchema = z
  .object({
    chosen: z.array(
      z.object({
        machine: z.string(),
        pointId: z.string(),
        sourceTime: timestampSchema,
        consistency: z.string(),
        olderBySeconds: z.number().describe('From the point to the moment asked for'),
      }),
    ),
    without: z.array(z.string()).describe('Machines that have no point that early'),
    spreadSeconds: z.number().describe('Between the oldest and the newest point chosen'),
  })
  .meta({ id: 'CommonPoint' });
export type CommonPointView = z.output<typeof commonPointSchema>;

export const planRunRoutes = {
  runPlan: route({
    method: 'POST',
    path: '/v1/recovery-plans/:name/runs',
    summary: 'Begins a run of the plan as it was applied last; watch the job of the operation id',
    params: planParams,
    body: z
      .strictObject({
        kind: z.enum(planRunKinds),
        choice: recoveryPointChoiceSchema
          .exactOptional()
          .describe('Of every machine; absent: latestProcessed in a drill, latest in a failover'),
        notLaterThan: timestampSchema
          .exactOptional()
          .describe('Instead of a choice: the newest point of each machine that is not later'),
        subnetId: subnetIdSchema.exactOptional().describe("Of a drill; absent: the plan's own"),
        shutdownSource: z.boolean().default(true).describe('Of a failover'),
        place: operationBodies.reprotect.shape.place,
        operationId: operationIdSchema.max(40).exactOptional(),
      })
      .refine(({ choice, notLaterThan }) => choice === undefined || notLaterThan === undefined, {
        path: ['notLaterThan'],
        message: 'cannot be given together with a choice',
      }),
    status: 202,
    response: acceptedSchema,
  }),
  planPoints: route({
    method: 'GET',
    path: '/v1/recovery-plans/:name/points',
    summary: 'The newest recovery point of every machine that is not later than a moment, and their spread',
    params: planParams,
    query: z.strictObject({ notLaterThan: timestampSchema }),
    status: 200,
    response: commonPointSchema,
  }),
};
