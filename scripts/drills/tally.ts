/** What the drills have come to, for people. */
import type { DrillReport } from './drill.ts';
import { faultKinds, type FaultKind } from './faults.ts';
import { findingKinds, type Finding } from './witness.ts';

export interface Told {
  readonly number: number;
  readonly report: DrillReport;
}

export interface Tally {
  readonly seed: number;
  readonly wanted: number;
  readonly startedAt: number;
  readonly told: Told[];
  /** Drills that could not be seen to their end. */
  readonly broken: { readonly number: number; readonly why: string }[];
  /** Of the look at everything when all was over. */
  readonly atTheEnd: Finding[];
}

const labels = {
  left: 'left behind',
  live: 'live items touched',
  duplicate: 'duplicates',
  run: 'runs that did not end well',
} as const;

export function isWell({ told, broken, atTheEnd }: Tally): boolean {
  return (
    broken.length === 0 && atTheEnd.length === 0 && told.every(({ report }) => report.findings.length === 0)
  );
}

export function summary(tally: Tally): string {
  const { seed, wanted, startedAt, told, broken, atTheEnd } = tally;
  const findings = [...told.flatMap(({ report }) => report.findings), ...atTheEnd];
  const proven = told.filter(({ report }) => report.findings.every(({ kind }) => kind !== 'left')).length;
  const never = faultKinds.filter((kind) => struckBy(tally, kind) === 0);
  return [
    '',
    `seed                  ${seed}`,
    `minutes               ${((Date.now() - startedAt) / 60_000).toFixed(1)}`,
    `drills                ${told.length} of ${wanted}`,
    `ended                 ${counted(told.map(({ report }) => report.ended))}`,
    `decisions             ${counted(told.flatMap(({ report }) => report.decisions.map((each) => each.split(' ')[0] ?? '')))}`,
    ...faultKinds.map(
      (kind) => `${kind.padEnd(21)} struck ${struckBy(tally, kind)} drills, missed ${missedBy(tally, kind)}`,
    ),
    `cleanups proven empty ${proven} of ${told.length}`,
    ...findingKinds.map(
      (kind) => `${labels[kind].padEnd(26)} ${findings.filter((each) => each.kind === kind).length}`,
    ),
    ...(never.length === 0 ? [] : [`never struck          ${never.join(', ')}`]),
    ...atTheEnd.map(({ what }) => `at the end            ${what}`),
    ...broken.map(({ number, why }) => `not seen to its end   drill ${number}: ${why}`),
  ].join('\n');
}

function struckBy({ told }: Tally, kind: FaultKind): number {
  return told.filter(({ report }) => report.struck.includes(kind)).length;
}

function missedBy({ told }: Tally, kind: FaultKind): number {
  return told.filter(({ report }) => report.missed.includes(kind)).length;
}

function counted(values: readonly string[]): string {
  const groups = Map.groupBy(values, (value) => value);
  return [...groups].map(([value, same]) => `${same.length} ${value}`).join(', ') || 'none';
}
