/** Drills that run by themselves. */
import { z } from 'zod';
import { nameSchema, textSchema, timestampSchema } from './common.ts';
import { route } from './route.ts';

const planParams = z.object({ name: nameSchema });
const emptySchema = z.object({});

const windowSchema = z
  .strictObject({ from: timestampSchema, to: timestampSchema })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be later than its beginning' });

const timeZoneSchema = textSchema
  .max(64)
  .refine(isTimeZone, 'must be a name of the IANA time zone database, such as Europe/Berlin');

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const scheduleSchema = z
  .object({
    cron: z.string(),
    timeZone: z.string(),
    jitterSeconds: z.number().int(),
    blackouts: z.array(windowSchema),
    paused: z.boolean(),
    note: z.string().describe('Why it is paused or was changed last'),
    pausedByFailure: z.boolean().describe('A drill failed; none begins until the schedule is resumed'),
    next: z.array(timestampSchema).describe('When it begins next, before jitter'),
    missed: z.number().int().describe('Drills that did not begin because nobody was there for too long'),
    skipped: z.number().int().describe('Drills that did not begin because the one before was still running'),
    misses: z
      .array(
        z.object({
          why: z.string(),
          count: z.number().int(),
          lastAt: timestampSchema.optional().describe('Absent: not known'),
        }),
      )
      .describe('Every drill that did not run, by reason; those that a job tells of back to the last 100'),
  })
  .meta({ id: 'PlanSchedule' });
export type PlanScheduleView = z.output<typeof scheduleSchema>;

export const planScheduleRoutes = {
  getPlanSchedule: route({
    method: 'GET',
    path: '/v1/recovery-plans/:name/schedule',
    summary: 'When drills of the plan begin by themselves',
    params: planParams,
    status: 200,
    response: scheduleSchema,
  }),
  putPlanSchedule: route({
    method: 'PUT',
    path: '/v1/recovery-plans/:name/schedule',
    summary:
      'Lets drills of the plan begin by themselves; one at a time, missed ones are made up within an hour',
    params: planParams,
    body: z.strictObject({
      cron: textSchema.max(200).describe('Five fields: minute, hour, day of month, month, day of week'),
      timeZone: timeZoneSchema.default('UTC'),
      jitterSeconds: z.number().int().min(0).max(86_400).default(600),
      blackouts: z.array(windowSchema).max(100).default([]),
    }),
    status: 200,
    response: scheduleSchema,
  }),
  removePlanSchedule: route({
    method: 'POST',
    path: '/v1/recovery-plans/:name/schedule/remove',
    summary: 'Ends the schedule; a drill under way goes on',
    params: planParams,
    status: 200,
    response: emptySchema,
  }),
  controlPlanSchedule: route({
    method: 'POST',
    path: '/v1/recovery-plans/:name/schedule/control',
    summary: 'Begins a drill now, pauses the schedule or lets it go on',
    params: planParams,
    body: z.strictObject({
      action: z.enum(['trigger', 'pause', 'resume']),
      note: textSchema.max(400).exactOptional(),
    }),
    status: 200,
    response: scheduleSchema,
  }),
};
