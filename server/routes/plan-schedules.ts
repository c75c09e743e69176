import { missesOf } from '../../domain/plan/missed-drills.ts';
import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import type { DrillScheduleView } from '../temporal-schedules.ts';
import { planNamed } from './recovery-plans.ts';

export function planScheduleHandlers({ catalogue, runbooks }: ServerDeps) {
  const withMisses = async (plan: string, schedule: DrillScheduleView) => ({
    ...schedule,
    misses: missesOf(schedule, await catalogue.missedDrills(plan)),
  });
  return {
    getPlanSchedule: async ({ params }) =>
      withMisses(params.name, await runbooks.describeSchedule(params.name)),

    putPlanSchedule: async ({ params, body }) => {
      await planNamed(catalogue, params.name);
      return withMisses(params.name, await runbooks.putSchedule(params.name, body));
    },

    removePlanSchedule: async ({ params }) => {
      await runbooks.removeSchedule(params.name);
      return {};
    },

    controlPlanSchedule: async ({ params, body, requester }) => {
      const note = body.note ?? `${body.action} by ${requester.principal}`;
      return withMisses(params.name, await runbooks.controlSchedule(params.name, body.action, note));
    },
  } satisfies Partial<Handlers>;
}
