import { z } from 'zod';
import { jobDecisions, jobKinds, jobStates } from '../domain/job.ts';
import { acceptedSchema, pageOf, pageQuery, problemSchema, textSchema, timestampSchema } from './common.ts';
import { actionSchema } from './plan-document.ts';
import { route } from './route.ts';

const taskSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.enum([...jobStates, 'skipped']),
    startedAt: timestampSchema.optional(),
    endedAt: timestampSchema.optional(),
    detail: z.string().optional(),
    error: problemSchema.optional(),
    get children() {
      return z.array(taskSchema).optional();
    },
  })
  .meta({ id: 'Task' });
export type Task = z.output<typeof taskSchema>;

const jobSchema = z
  .object({
    id: z.string(),
    kind: z.enum(jobKinds),
    itemId: z.string().optional().describe('Absent: the job sets up a policy or a vCenter, or runs a plan'),
    subject: z.string().describe('Name of the machine, the policy, the vCenter or the plan'),
    state: z.enum(jobStates),
    requestedBy: z.string(),
    revision: z.number().int(),
    startedAt: timestampSchema,
    endedAt: timestampSchema.optional(),
    tasks: z.array(taskSchema),
    choices: z
      .array(
        z.object({
          decision: z.enum(jobDecisions),
          means: z.string().describe('For data and machines, at this step'),
          taskId: z.string().optional().describe('The task that waits; absent: it is about the whole job'),
        }),
      )
      .optional()
      .describe('Decisions that are possible now'),
    error: problemSchema.optional(),
    result: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Job' });
export type Job = z.output<typeof jobSchema>;

const jobParams = z.object({ id: textSchema.max(64) });

export const jobRoutes = {
  listJobs: route({
    method: 'GET',
    path: '/v1/jobs',
    summary: 'Jobs, newest first',
    query: z.strictObject({
      item: textSchema.exactOptional().describe('Id of the item, or the name of its machine'),
      state: z.enum(jobStates).exactOptional(),
      ...pageQuery,
    }),
    status: 200,
    response: pageOf(jobSchema),
  }),
  getJob: route({
    method: 'GET',
    path: '/v1/jobs/:id',
    summary: 'One job with its tree of tasks',
    params: jobParams,
    status: 200,
    response: jobSchema,
  }),
  decideJob: route({
    method: 'POST',
    path: '/v1/jobs/:id/decide',
    summary: 'Decides how a running job goes on; refused when the decision is not among its choices',
    params: jobParams,
    body: z
      .strictObject({
        decision: z.enum(jobDecisions),
        taskId: textSchema
          .max(200)
          .exactOptional()
          .describe('In the run of a plan: the task that waits; needed when several do'),
        reason: z
          .string()
          .max(1000)
          .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not hold control characters')
          .default('')
          .describe('Kept with the job; required for `skip`'),
        action: actionSchema
          .exactOptional()
          .describe('With `retry` of a step of a plan: what it does instead, from now on in this run'),
      })
      .refine(({ decision, reason }) => decision !== 'skip' || reason.trim() !== '', {
        path: ['reason'],
        message: 'must say why the step is skipped',
      })
      .refine(({ decision, action }) => action === undefined || decision === 'retry', {
        path: ['action'],
        message: 'is possible with `retry` only',
      }),
    status: 202,
    response: acceptedSchema,
  }),
};
