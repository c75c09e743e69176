/** The tables of CPU seconds by stage: what our processes spent, and what cannot be avoided. */
import { STARTUP } from './profile.ts';
import { bestRun, OURS, type Row } from './rows.ts';

type Measured = Pick<Row, 'row' | 'contenders'>;

const SHARE_MIN = 0.005;
const FLOOR_STAGE = 'stage: ';
/** Of others: the emulator, the NBD server. */
const SERVERS = 'servers';

export interface Stage {
  readonly stage: string;
  /** By process. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly total: number;
}

/** The largest first; without the start of a process, which happens once in its life. */
export function stagesOf(rows: readonly Measured[]): Stage[] {
  const row = rows.find((each) => each.row === 'stages');
  const stages = new Map<string, Record<string, number>>();
  for (const [name, contender] of Object.entries(row?.contenders ?? {})) {
    for (const [stage, seconds] of Object.entries(bestRun(contender) ?? {})) {
      if (stage !== STARTUP) stages.set(stage, { ...stages.get(stage), [name]: seconds });
    }
  }
  return [...stages]
    .map(([stage, seconds]) => ({
      stage,
      seconds,
      total: Object.values(seconds).reduce((sum, value) => sum + value, 0),
    }))
    .sort((a, b) => b.total - a.total);
}

/** Stages of the floor, the largest first. */
export function floorStagesOf(rows: readonly Measured[]): Stage[] {
  const row = rows.find((each) => each.row === 'floor');
  return Object.entries(bestRun(row?.contenders[OURS]) ?? {})
    .filter(([name]) => name.startsWith(FLOOR_STAGE))
    .map(([name, total]) => ({ stage: name.slice(FLOOR_STAGE.length), seconds: {}, total }))
    .sort((a, b) => b.total - a.total);
}

/** Empty where nothing was profiled. */
export function renderStages(rows: readonly Row[]): string {
  const stages = stagesOf(rows);
  const floor = floorStagesOf(rows);
  return [
    ...(stages.length === 0 ? [] : ['', ...profileLines(stages)]),
    ...(floor.length === 0 ? [] : ['', ...floorLines(floor)]),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function profileLines(stages: readonly Stage[]): string[] {
  const sum = stages.reduce((total, stage) => total + stage.total, 0);
  const cell = (value: number | undefined) => (value === undefined ? '·' : value.toFixed(2)).padStart(9);
  const shown = stages.filter(({ total }) => total >= sum * SHARE_MIN);
  const [first] = shown;
  const ours = shown.find(({ seconds }) => !(SERVERS in seconds));
  return [
    `${'first copy until point, CPU seconds by stage'.padEnd(48)} shipping  applying   servers     share`,
    ...shown.map(
      ({ stage, seconds, total }) =>
        `${stage.padEnd(48)}${cell(seconds['shipping'])} ${cell(seconds['applying'])} ${cell(seconds[SERVERS])}  ${`${((100 * total) / sum).toFixed(0)} %`.padStart(8)}`,
    ),
    ...(first === undefined ? [] : [bottleneckLine(first, sum, ours)]),
  ];
}

function bottleneckLine(first: Stage, sum: number, ours: Stage | undefined): string {
  const own =
    ours === undefined || ours === first ? '' : `; of our own: ${ours.stage}, ${ours.total.toFixed(2)}`;
  return `next bottleneck: ${first.stage}, ${first.total.toFixed(2)} of ${sum.toFixed(2)} CPU seconds${own}`;
}

function floorLines(stages: readonly Stage[]): string[] {
  const sum = stages.reduce((total, stage) => total + stage.total, 0);
  return [
    `floor: CPU seconds of stages that cannot be avoided, ${sum.toFixed(2)} in all`,
    ...stages.map(({ stage, total }) => `${stage.padEnd(48)}${total.toFixed(2).padStart(9)}`),
  ];
}
