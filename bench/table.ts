/** The one table of a run. */
import { MiB } from '../domain/units.ts';
import type { Bound, Unit, Verdict } from './goals.ts';
import { bestRun, type Metrics, type Row } from './rows.ts';

const HEAD = [
  'work',
  'who',
  'wall s',
  'MiB on wire',
  'CPU s: client',
  'server',
  'source',
  'peak RSS MiB',
  'runs',
];
const NOTHING = '·';

/** Every contender's best run, and below each row its goals. */
export function renderTable(rows: readonly Row[], verdicts: readonly Verdict[]): string {
  const lines = rows.flatMap((row) => [
    ...Object.entries(row.contenders).map(([name, contender], index) => {
      const title = index === 0 ? row.title : '';
      if ('absent' in contender) return { cells: [title, name], note: `did not run: ${contender.absent}` };
      return { cells: [title, name, ...numbersOf(bestRun(contender)), String(contender.runs.length)] };
    }),
    ...(row.notes ?? []).map((note) => ({ cells: [''], note: `  ${note}` })),
    ...verdicts
      .filter((verdict) => verdict.row === row.row)
      .map((verdict) => ({ cells: [''], note: goalLine(verdict) })),
  ]);
  const widths = HEAD.map((head, column) =>
    Math.max(head.length, ...lines.map(({ cells }) => (cells[column] ?? '').length)),
  );
  const text = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return [
    text(HEAD),
    ...lines.map(({ cells, note }) =>
      (note === undefined ? text(cells) : `${text(cells)}  ${note}`).trimEnd(),
    ),
  ].join('\n');
}

function numbersOf(run: Metrics | null): string[] {
  const of = (metric: string, by: number, digits: number) => {
    const value = run?.[metric];
    return value === undefined ? NOTHING : (value / by).toFixed(digits);
  };
  return [
    of('wallSeconds', 1, 2),
    of('wireBytes', MiB, 1),
    of('clientCpuSeconds', 1, 2),
    of('serverCpuSeconds', 1, 2),
    of('sourceCpuSeconds', 1, 2),
    of('clientRssBytes', MiB, 0),
  ];
}

export function goalLine({ what, value, bound, met }: Verdict): string {
  const mark = met === null ? 'not measured' : met ? 'met' : 'MISSED';
  const measured = value === null ? '' : ` ${inUnit(value, bound.unit)}`;
  return `→ ${what}:${measured} (goal ${goalOf(bound)}) ${mark}`;
}

function goalOf({ relation, value, unit }: Bound): string {
  return `${relation} ${inUnit(value, unit)}`;
}

function inUnit(value: number, unit: Unit): string {
  if (unit === 'ratio') return value.toFixed(3);
  return unit === 'seconds' ? `${value.toFixed(2)} s` : `${value.toFixed(value < 100 ? 2 : 0)} MiB`;
}
