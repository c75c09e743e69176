/** docs/cancel.md: every run cancelled at every step, played in the sandbox on the model of the world. */
import { writeFile } from 'node:fs/promises';
import { cancelEverywhere, ways, type Cancelled } from '../test/workflows/support/cancel-table.ts';

const head = `# Cancelling a run

<!-- Made by \`npm run generate\`: each line was played, with the real workflows on a model of the world. -->

A run can be cancelled at any step. Each line cuts the last activity of a step short, after it has done its work but
before its answer arrives, and says in which state the item is once the run has ended. *Back*: rolled back at once.
*Held, back* and *held, on*: held first, then rolled back or finished. **on** means that rolling back is not offered
there, because the run is past its point of no return: it has gone on to its end. **†**: an undo was not possible and
was given up; the operation that leads on finds what is left.
`;

const marks = { refused: '**on** → ', givenUp: ' †' } as const;

export function renderCancelDoc(table: readonly Cancelled[]): string {
  const scenarios = [...new Set(table.map(({ scenario }) => scenario))];
  return [
    head,
    summary(table),
    ...scenarios.map((scenario) => section(scenario, table)),
    leadingOn(table),
  ].join('\n');
}

function summary(table: readonly Cancelled[]): string {
  const points = table.length / ways.length;
  const stuck = table.filter(({ leadsOn, isOver }) => leadsOn.length === 0 && !isOver).length;
  const broken = table.filter(({ violations }) => violations.length > 0).length;
  return `${table.length} cancellations at ${points} points: ${stuck} left without an operation that leads on, ${broken} broke a rule of the world.\n`;
}

function section(scenario: string, table: readonly Cancelled[]): string {
  const own = table.filter((each) => each.scenario === scenario);
  const points = own.filter(({ way }) => way === 'rollBack');
  const rows = points.map(({ step, activity }) => {
    const ends = ways.map((way) => ending(own.find((each) => each.step === step && each.way === way)));
    return `| \`${step}\` | \`${activity}\` | ${ends.join(' | ')} |`;
  });
  const lines = [
    '| Step | Cut short | Back | Held, back | Held, on |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ];
  return [`## ${scenario}\n`, ...lines, ''].join('\n');
}

function ending(cancelled: Cancelled | undefined): string {
  if (cancelled === undefined) return '';
  const { refused, isGivenUp, state, drill } = cancelled;
  const where = drill === 'none' ? state : `${state}, drill ${drill}`;
  return `${refused ? marks.refused : ''}${where}${isGivenUp ? marks.givenUp : ''}`;
}

function leadingOn(table: readonly Cancelled[]): string {
  const places = new Map(table.map(({ state, drill, leadsOn }) => [`${state}, drill ${drill}`, leadsOn]));
  const rows = [...places]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([place, leadsOn]) => `| ${place} | ${leadsOn.join(', ') || 'protect again'} |`);
  return ['## What leads on\n', '| State | Operations |', '| --- | --- |', ...rows, ''].join('\n');
}

if (import.meta.main) await writeFile('docs/cancel.md', renderCancelDoc(await cancelEverywhere()));
