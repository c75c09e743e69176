/**
 * Schedules of drills. One per plan, never two drills of a plan at once; after an outage drills of the last hour are
 * made up and older ones are not (the server's default would be a year); a drill that fails pauses the schedule. A
 * manual trigger keeps to the same policy, which the SDK by itself would not (temporalio/sdk-typescript#1594).
 */
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleDescription,
  type ScheduleHandle,
  type ScheduleOptions,
} from '@temporalio/client';
import { DrError } from '../domain/errors.ts';
import type { ScheduledDrillInput } from '../workflows/contracts/plan.ts';
import { workflowIds } from '../workflows/contracts/ids.ts';
import { workflowTypes } from '../workflows/contracts/messages.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import type { temporalCalls } from './temporal-calls.ts';

const CATCH_UP = '1 hour';
const NEXT_SHOWN = 5;
const ID_PREFIX = workflowIds.drillSchedule('');
/** What the server notes when it pauses a schedule by itself. */
const PAUSED_BY_FAILURE = /^paused due to workflow (?:failure|timeout)/;

export interface DrillSchedule {
  readonly cron: string;
  readonly timeZone: string;
  readonly jitterSeconds: number;
  readonly blackouts: ScheduledDrillInput['blackouts'];
}

export interface DrillScheduleView extends DrillSchedule {
  readonly paused: boolean;
  /** A drill failed; none begins until it is resumed. */
  readonly pausedByFailure: boolean;
  readonly note: string;
  readonly next: readonly string[];
  readonly missed: number;
  readonly skipped: number;
}

export type ScheduleAction = 'trigger' | 'pause' | 'resume';

/** Every call @throws DR_SCHEDULE_UNKNOWN where the plan has none */
export interface DrillSchedules {
  describeSchedule(plan: string): Promise<DrillScheduleView>;
  /** Plans that have one; one that was made or removed within the last seconds may be missing or still be there. */
  scheduledPlans(): Promise<readonly string[]>;
  /** @throws DR_REQUEST_INVALID when the expression is none */
  putSchedule(plan: string, schedule: DrillSchedule): Promise<DrillScheduleView>;
  removeSchedule(plan: string): Promise<void>;
  controlSchedule(plan: string, action: ScheduleAction, note: string): Promise<DrillScheduleView>;
}

export function drillSchedules(client: Client, temporal: ReturnType<typeof temporalCalls>): DrillSchedules {
  const on = async <T>(plan: string, call: (handle: ScheduleHandle) => Promise<T>): Promise<T> => {
    try {
      return await temporal.bounded(() => call(client.schedule.getHandle(workflowIds.drillSchedule(plan))));
    } catch (error) {
      if (hasCause(error, ScheduleNotFoundError)) throw new DrError('DR_SCHEDULE_UNKNOWN', { plan });
      throw error;
    }
  };
  const describe = (plan: string) => on(plan, async (handle) => viewOf(await handle.describe()));

  return {
    describeSchedule: describe,

    scheduledPlans: () =>
      temporal.bounded(async () => {
        const plans: string[] = [];
        for await (const { scheduleId } of client.schedule.list()) {
          if (scheduleId.startsWith(ID_PREFIX)) plans.push(scheduleId.slice(ID_PREFIX.length));
        }
        return plans;
      }),

    async putSchedule(plan, schedule) {
      const options = optionsOf(plan, schedule);
      try {
        await temporal.bounded(() => client.schedule.create(options));
      } catch (error) {
        if (!hasCause(error, ScheduleAlreadyRunning)) throw invalidCron(error, schedule);
        await on(plan, (handle) =>
          handle.update(({ state }) => {
            const { scheduleId: _, state: __, ...changes } = options;
            return { ...changes, state };
          }),
        );
      }
      return describe(plan);
    },

    removeSchedule: (plan) => on(plan, (handle) => handle.delete()),

    async controlSchedule(plan, action, note) {
      await on(plan, async (handle) => {
        if (action === 'trigger') await handle.trigger(ScheduleOverlapPolicy.SKIP);
        else if (action === 'pause') await handle.pause(note);
        else await handle.unpause(note);
      });
      return describe(plan);
    },
  };
}

function optionsOf(
  plan: string,
  { cron, timeZone, jitterSeconds, blackouts }: DrillSchedule,
): ScheduleOptions {
  const input: ScheduledDrillInput = { planName: plan, cron, blackouts };
  return {
    scheduleId: workflowIds.drillSchedule(plan),
    spec: { cronExpressions: [cron], timezone: timeZone, jitter: jitterSeconds * 1_000 },
    action: {
      type: 'startWorkflow',
      workflowType: workflowTypes.scheduledDrill,
      workflowId: workflowIds.scheduledDrill(plan),
      taskQueue: taskQueues.control,
      args: [input],
    },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP, pauseOnFailure: true },
    state: {},
  };
}

function viewOf({ action, spec, state, info }: ScheduleDescription): DrillScheduleView {
  const [input] = (action.args ?? []) as readonly ScheduledDrillInput[];
  return {
    cron: input?.cron ?? '',
    timeZone: spec.timezone ?? 'UTC',
    jitterSeconds: (spec.jitter ?? 0) / 1_000,
    blackouts: input?.blackouts ?? [],
    paused: state.paused,
    pausedByFailure: state.paused && PAUSED_BY_FAILURE.test(state.note ?? ''),
    note: state.note ?? '',
    next: info.nextActionTimes.slice(0, NEXT_SHOWN).map((time) => time.toISOString()),
    missed: info.numActionsMissedCatchupWindow,
    skipped: info.numActionsSkippedOverlap,
  };
}

function invalidCron(error: unknown, { cron }: DrillSchedule): unknown {
  const reason = error instanceof DrError ? String(error.context['reason'] ?? error.message) : '';
  if (!/cron|CronString|invalid schedule/i.test(reason)) return error;
  return new DrError('DR_REQUEST_INVALID', { problems: `body.cron: "${cron}" is no schedule: ${reason}` });
}

type Kind = new (...input: never[]) => Error;

function hasCause(error: unknown, kind: Kind): boolean {
  if (error instanceof kind) return true;
  return error instanceof Error && hasCause(error.cause, kind);
}
