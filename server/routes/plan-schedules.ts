import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import { planNamed } from './recovery-plans.ts';

export function planScheduleHandlers({ catalogue, runbooks }: ServerDeps) {
  return {
    getPlanSchedule: ({ params }) => runbooks.describeSchedule(params.name),

    putPlanSchedule: async ({ params, body }) => {
      await planNamed(catalogue, params.name);
      return runbooks.putSchedule(params.name, body);
    },

    removePlanSchedule: async ({ params }) => {
      await runbooks.removeSchedule(params.name);
      return {};
    },

    controlPlanSchedule: ({ params, body, requester }) =>
      runbooks.controlSchedule(
        params.name,
        body.action,
        body.note ?? `${body.action} by ${requester.principal}`,
      ),
  } satisfies Partial<Handlers>;
}
