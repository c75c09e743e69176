import { contract } from '../../../api/contract.ts';
import type { PlanScheduleView } from '../../../api/plan-schedules.ts';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { verb, type Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { momentOption, secondsOption } from '../../options.ts';
import { duration, moment } from '../../render/text.ts';

interface Window {
  readonly from: string;
  readonly to: string;
}

export function planSchedule(cli: Cli) {
  return verb(
    'schedule',
    'Let drills of a plan begin by themselves, show when they do, or change that. One drill of a plan at a time; missed ones are made up within an hour; a failed one pauses the schedule',
    'plan schedule shop --cron "0 3 * * 6" --time-zone Europe/Berlin --blackout 2026-12-20T00:00Z/2027-01-05T00:00Z',
  )
    .argument('<plan>', 'name of the plan')
    .option('--cron <expression>', 'minute, hour, day of month, month, day of week')
    .option('--time-zone <name>', 'of the expression, from the IANA database (default: UTC)')
    .option('--jitter <duration>', 'begin up to so much later (default: 10m)', secondsOption)
    .option('--blackout <from/to>', 'no drill begins between these moments; may be repeated', windowOption)
    .option('--trigger', 'begin a drill now, unless one is running')
    .option('--pause', 'begin no further drills')
    .option('--resume', 'go on after a pause')
    .option('--remove', 'end the schedule; a drill under way goes on')
    .action(async (name, options) => {
      const { cron, timeZone, jitter, blackout, ...changes } = options;
      const asked = (['trigger', 'pause', 'resume', 'remove'] as const).filter(
        (each) => changes[each] === true,
      );
      const isSet = cron !== undefined;
      if (asked.length + (isSet ? 1 : 0) > 1)
        throw invalid('one of --cron, --trigger, --pause, --resume, --remove');
      if (!isSet && (timeZone ?? jitter ?? blackout) !== undefined) throw invalid('a schedule needs --cron');
      const [action] = asked;
      const params = { name };
      if (action === 'remove') {
        await cli.call(contract.removePlanSchedule, { params });
        return cli.show({}, () => `Plan "${name}" has no schedule any more.`);
      }
      if (action !== undefined) {
        const shown = await cli.call(contract.controlPlanSchedule, { params, body: { action } });
        return cli.show(shown, (schedule) => scheduleText(name, schedule));
      }
      const body = {
        cron: cron ?? '',
        ...(timeZone && { timeZone }),
        ...(jitter !== undefined && { jitterSeconds: jitter }),
        ...(blackout && { blackouts: [...blackout] }),
      };
      const shown = isSet
        ? await cli.call(contract.putPlanSchedule, { params, body })
        : await cli.call(contract.getPlanSchedule, { params });
      cli.show(shown, (schedule) => scheduleText(name, schedule));
    });
}

function windowOption(given: string, earlier: readonly Window[] = []): readonly Window[] {
  const [from, to, ...rest] = given.split('/');
  if (from === undefined || to === undefined || rest.length > 0) {
    throw new InvalidArgumentError('Write two moments such as 2026-12-20T00:00Z/2027-01-05T00:00Z.');
  }
  return [...earlier, { from: momentOption(from), to: momentOption(to) }];
}

function scheduleText(name: string, schedule: PlanScheduleView): string {
  const { cron, timeZone, jitterSeconds, blackouts, paused, note, next, misses } = schedule;
  const why = note === '' ? '' : ` (${note})`;
  return [
    `Drills of plan "${name}": ${cron} in ${timeZone}, up to ${duration(jitterSeconds)} later${paused ? `; paused${why}` : ''}`,
    ...(paused ? [] : next.map((time) => `  next ${moment(time)}`)),
    ...blackouts.map(({ from, to }) => `  none between ${moment(from)} and ${moment(to)}`),
    ...misses.map(({ why, count, lastAt }) => {
      const when = lastAt === undefined ? '' : `, last ${moment(lastAt)}`;
      return `  missed ${count}${when}: ${why}`;
    }),
  ].join('\n');
}
