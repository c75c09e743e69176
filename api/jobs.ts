import { z } from 'zod';
import type { Job as DomainJob, JobState } from '../domain/job.ts';
import { pageOf, pageQuery, problemSchema, textSchema, timestampSchema } from './common.ts';
import { route } from './route.ts';

const jobStates = [
  'notStarted',
  'inProgress',
  'waitingForInput',
  'succeeded',
  'failed',
  'cancelled',
] as const satisfies readonly JobState[];
const jobKinds = [
  'protect',
  'testFailover',
  'cleanupTestFailover',
  'failover',
  'commit',
  'disable',
] as const satisfies readonly DomainJob['kind'][];

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
    itemId: z.string(),
    machineName: z.string(),
    state: z.enum(jobStates),
    requestedBy: z.string(),
    revision: z.number().int(),
    startedAt: timestampSchema,
    endedAt: timestampSchema.optional(),
    tasks: z.array(taskSchema),
    error: problemSchema.optional(),
    result: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Job' });
export type Job = z.output<typeof jobSchema>;

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
    params: z.object({ id: textSchema.max(64) }),
    status: 200,
    response: jobSchema,
  }),
};
