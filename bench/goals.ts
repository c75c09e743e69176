/** What the issue asks of the data plane, as ratios of what one run has measured. */
import { MiB } from '../domain/units.ts';
import { bestRun, OURS, type Row } from './rows.ts';

export interface Verdict {
  readonly row: string;
  /** What is compared: "wall, × rclone". */
  readonly what: string;
  /** Null: a part of the comparison was not measured in this run. */
  readonly value: number | null;
  readonly bound: Bound;
  readonly met: boolean | null;
}

export interface Bound {
  readonly relation: '≤' | '≥';
  readonly value: number;
  readonly unit: Unit;
}

export type Unit = 'ratio' | 'seconds' | 'MiB';

/** A number of this run: of a row, of one of its contenders. Null: not measured. */
type Look = (row: string, contender: string, metric: string) => number | null;

interface Goal {
  readonly row: string;
  readonly what: string;
  readonly bound: Bound;
  readonly value: (look: Look) => number | null;
}

const atMost = (value: number, unit: Unit = 'ratio'): Bound => ({ relation: '≤', value, unit });
const atLeast = (value: number, unit: Unit = 'ratio'): Bound => ({ relation: '≥', value, unit });

/** Ours in this row divided by another number; null where one of the two is missing. */
export function ratio(value: number | null, by: number | null): number | null {
  return value === null || by === null || by === 0 ? null : value / by;
}

function against(
  row: string,
  metric: string,
  other: { readonly contender: string; readonly row?: string; readonly metric?: string },
): Pick<Goal, 'row' | 'value'> {
  return {
    row,
    value: (look) =>
      ratio(look(row, OURS, metric), look(other.row ?? row, other.contender, other.metric ?? metric)),
  };
}

function inMiB(row: string, metric: string, contender = OURS): Pick<Goal, 'row' | 'value'> {
  return { row, value: (look) => ratio(look(row, contender, metric), MiB) };
}

const rclone = { contender: 'rclone' };
const restic = { contender: 'restic' };
const RSS_MIB_MAX = 250;
const PLAIN_GETS = 'plain GETs';
/** Nothing but what holds data or changed, and what wraps it. */
const TRAVEL_MOST = 1.05;

const goals: readonly Goal[] = [
  { ...against('first-durable', 'wallSeconds', rclone), what: 'wall, × rclone', bound: atMost(0.5) },
  { ...against('first-durable', 'wireBytes', rclone), what: 'bytes, × rclone', bound: atMost(0.36) },
  { ...against('first-durable', 'wallSeconds', restic), what: 'wall, × restic', bound: atMost(0.45) },
  {
    ...against('first-point', 'wallSeconds', { ...rclone, row: 'first-durable' }),
    what: 'wall, × rclone (which only uploads)',
    bound: atMost(0.8),
  },
  {
    row: 'first-point',
    what: 'floor ÷ wall',
    bound: atLeast(0.8),
    value: (look) => ratio(look('floor', OURS, 'wallSeconds'), look('first-point', OURS, 'wallSeconds')),
  },
  {
    row: '4k-durable',
    what: 'wall',
    bound: atMost(0.12, 'seconds'),
    value: (look) => look('4k-durable', OURS, 'wallSeconds'),
  },
  { ...inMiB('4k-durable', 'wireBytes'), what: 'sent', bound: atMost(5.3, 'MiB') },
  { ...inMiB('64k-durable', 'wireBytes'), what: 'sent', bound: atMost(5.3, 'MiB') },
  { ...against('64k-durable', 'wallSeconds', restic), what: 'wall, × restic', bound: atMost(0.05) },
  {
    row: 'wan-first',
    what: "link's floor ÷ wall",
    bound: atLeast(0.95),
    value: (look) => ratio(look('wan-first', OURS, 'floorSeconds'), look('wan-first', OURS, 'wallSeconds')),
  },
  { ...against('wan-first', 'wallSeconds', rclone), what: 'wall, × rclone', bound: atMost(0.36) },
  {
    row: 'churn',
    what: 'RPO, p99',
    bound: atMost(2, 'seconds'),
    value: (look) => look('churn', OURS, 'rpoP99Seconds'),
  },
  {
    row: 'churn',
    what: 'applier behind, last quarter ÷ second',
    bound: atMost(1.5),
    value: (look) => look('churn', OURS, 'lagGrowth'),
  },
  {
    row: 'churn',
    what: 'RSS of the worst process, last quarter ÷ second',
    bound: atMost(1.1),
    value: (look) => look('churn', OURS, 'rssGrowth'),
  },
  ...['8 machines', '1 machine, 8 disks'].flatMap((shape): Goal[] => {
    const contender = `${OURS}: ${shape}`;
    return [
      {
        ...inMiB('eight', 'shipRssBytes', contender),
        what: `RSS of the shipping process, ${shape}`,
        bound: atMost(RSS_MIB_MAX, 'MiB'),
      },
      {
        ...inMiB('eight', 'applyRssBytes', contender),
        what: `RSS of the applying process, ${shape}`,
        bound: atMost(RSS_MIB_MAX, 'MiB'),
      },
      {
        row: 'eight',
        what: `MiB/s, × one disk, ${shape}`,
        bound: atLeast(0.9),
        value: (look) =>
          ratio(
            look('eight', contender, 'mibPerSecond'),
            look('eight', `${OURS}: 1 machine, 1 disk`, 'mibPerSecond'),
          ),
      },
    ];
  }),
  ...['failback-read', 'failback'].map((row): Goal => ({
    row,
    what: 'plain GETs ÷ wall of ours',
    bound: atLeast(0.85),
    value: (look) => ratio(look(row, PLAIN_GETS, 'wallSeconds'), look(row, OURS, 'wallSeconds')),
  })),
  ...[
    { row: 'failback-read', what: 'bytes, × data there is', metric: 'wireBytes' },
    { row: 'failback', what: 'bytes read, × data there is', metric: 'readBytes' },
    { row: 'failback-delta', what: 'bytes read, × what changed', metric: 'readBytes' },
  ].map(({ row, what, metric }): Goal => ({
    row,
    what,
    bound: atMost(TRAVEL_MOST),
    value: (look) => ratio(look(row, OURS, metric), look(row, OURS, 'dataBytes')),
  })),
  ...['scan-warm', 'scan-cold'].map((row): Goal => ({
    row,
    what: 'dd ÷ wall of ours',
    bound: atLeast(0.9),
    value: (look) => ratio(look(row, 'dd', 'wallSeconds'), look(row, OURS, 'wallSeconds')),
  })),
];

/** Of the rows that are there, in the order of the goals. */
export function judge(rows: readonly Row[]): Verdict[] {
  const look: Look = (row, contender, metric) => {
    const found = rows.find((each) => each.row === row);
    return bestRun(found?.contenders[contender])?.[metric] ?? null;
  };
  return goals
    .filter(({ row }) => rows.some((each) => each.row === row))
    .map(({ row, what, bound, value: valueOf }) => {
      const value = valueOf(look);
      return { row, what, value, bound, met: value === null ? null : holds(value, bound) };
    });
}

function holds(value: number, { relation, value: limit }: Bound): boolean {
  return relation === '≤' ? value <= limit : value >= limit;
}
