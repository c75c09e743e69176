/** Memory and lag over the time of a churn run, as CSV and as a drawing. */
import { drawing, element, scale, text, ticks } from './svg.ts';

const COLUMNS = [
  'seconds',
  'shippingRssMiB',
  'applyingRssMiB',
  'nbdServerRssMiB',
  'emulatorRssMiB',
  'rpoSeconds',
  'lagSeconds',
] as const;
export type ChurnColumn = (typeof COLUMNS)[number];
/** One second of the run. */
export type ChurnSample = Readonly<Record<ChurnColumn, number>>;

const WIDTH = 980;
const PLOT = { left: 70, right: 800, height: 220 } as const;

const panels: readonly {
  readonly title: string;
  readonly lines: readonly (readonly [ChurnColumn, string, string])[];
}[] = [
  {
    title: 'Resident memory, MiB',
    lines: [
      ['shippingRssMiB', 'shipping', '#0969da'],
      ['applyingRssMiB', 'applying', '#1a7f37'],
      ['nbdServerRssMiB', 'NBD server', '#9a6700'],
    ],
  },
  {
    title: 'Resident memory of the storage emulator, MiB',
    lines: [['emulatorRssMiB', 'emulator', '#57606a']],
  },
  {
    title: 'Seconds behind the source',
    lines: [
      ['rpoSeconds', 'RPO: age of what is durable', '#0969da'],
      ['lagSeconds', 'applier: durable to point', '#1a7f37'],
    ],
  },
];

export function formatChurn(samples: readonly ChurnSample[]): string {
  const rows = samples.map((sample) => COLUMNS.map((column) => sample[column].toFixed(2)).join(','));
  return [COLUMNS.join(','), ...rows, ''].join('\n');
}

/** @throws Error when it has other columns */
export function parseChurn(csv: string): ChurnSample[] {
  const [head, ...rows] = csv.trimEnd().split('\n');
  if (head !== COLUMNS.join(',')) throw new Error(`not the columns of a churn run: ${head}`);
  return rows.map((row) => {
    const values = row.split(',').map(Number);
    return Object.fromEntries(COLUMNS.map((column, index) => [column, values[index] ?? 0])) as ChurnSample;
  });
}

export function drawChurn(samples: readonly ChurnSample[]): string {
  const end = Math.max(1, samples.at(-1)?.seconds ?? 1);
  const parts = panels.flatMap((panel, index) => {
    const top = 40 + index * (PLOT.height + 70);
    const most = Math.max(1, ...panel.lines.flatMap(([column]) => samples.map((sample) => sample[column])));
    const marks = ticks(most);
    const across = scale([0, end], [PLOT.left, PLOT.right]);
    const up = scale([0, marks.at(-1) ?? most], [top + PLOT.height, top]);
    return [
      text(20, top - 14, panel.title, { class: 'head' }),
      ...marks.flatMap((mark) => [
        element('line', { x1: PLOT.left, x2: PLOT.right, y1: up(mark), y2: up(mark), stroke: '#d0d7de' }),
        text(PLOT.left - 6, up(mark) + 4, String(mark), { 'text-anchor': 'end', class: 'small' }),
      ]),
      ...ticks(end).map((mark) =>
        text(Math.min(across(mark), PLOT.right), top + PLOT.height + 16, `${mark} s`, {
          'text-anchor': 'middle',
          class: 'small',
        }),
      ),
      ...panel.lines.flatMap(([column, name, stroke], line) => [
        element('polyline', {
          points: samples
            .map((sample) => `${across(sample.seconds).toFixed(1)},${up(sample[column]).toFixed(1)}`)
            .join(' '),
          fill: 'none',
          stroke,
          'stroke-width': 1.5,
        }),
        text(PLOT.right + 12, top + 14 + line * 18, name, { style: `fill:${stroke}` }),
      ]),
    ];
  });
  return drawing(WIDTH, 40 + panels.length * (PLOT.height + 70), parts);
}
