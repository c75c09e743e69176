import { contract } from '../../../api/contract.ts';
import type { CommonPointView } from '../../../api/plan-runs.ts';
import { verb, type Cli } from '../../cli.ts';
import { momentOption } from '../../options.ts';
import { duration, moment, table } from '../../render/text.ts';

export function planPoints(cli: Cli) {
  return verb(
    'points',
    'The newest recovery point of every machine of a plan up to a moment, and how far they lie apart',
    'plan points shop --not-later-than 2026-11-21T19:30:00Z',
  )
    .argument('<plan>', 'name of the plan')
    .requiredOption('--not-later-than <time>', 'ISO 8601', momentOption)
    .action(async (name, { notLaterThan }) => {
      const found = await cli.call(contract.planPoints, { params: { name }, query: { notLaterThan } });
      cli.show(found, pointsText);
      if (found.without.length > 0) cli.exitCode = 3;
    });
}

function pointsText({ chosen, without, spreadSeconds }: CommonPointView): string {
  const rows = chosen.map(({ machine, pointId, sourceTime, consistency, olderBySeconds }) => [
    machine,
    pointId,
    moment(sourceTime),
    consistency,
    duration(olderBySeconds),
  ]);
  return [
    table(
      ['machine', 'point', 'time', 'consistency', 'older by'],
      rows,
      'No machine has a point that early.',
    ),
    ...(chosen.length > 1 ? [`They lie ${duration(spreadSeconds)} apart.`] : []),
    ...without.map((machine) => `${machine} has no point that early.`),
  ].join('\n');
}
