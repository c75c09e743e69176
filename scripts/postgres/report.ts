/** What a database run prints. */
import type { Trial } from './control.ts';
import type { ExaminedPoint } from './points.ts';
import { sabotages, type SabotageName } from './sabotage.ts';

export interface Outcome {
  readonly seed: number;
  readonly points: readonly ExaminedPoint[];
  readonly checkpoints: number;
  readonly drilled: string | null;
  readonly isFaithful: boolean;
  readonly refusals: Readonly<Record<string, string>>;
  readonly trials: readonly Trial[];
}

/** Of all sabotages, the part that has to be noticed. */
const NOTICED_SHARE_MIN = 0.7;
const columns = [9, 14, 8, 14, 22, 20];

export const headOfPoints = row(['point', 'e2fsck', 'bytes', 'transactions', 'books', 'markers']);

export function lineOfPoint({ point, codes, books, problems, expected }: ExaminedPoint): string {
  const isEqual = !problems.some((problem) => problem.startsWith('disk '));
  const balance =
    books === null ? '-' : `${new Set(books.sums).size === 1 ? 'balance at' : 'differ at'} ${books.sums[0]}`;
  const line = row([
    point.pointId,
    codes.length === 0 ? '-' : `rc ${codes.join(', ')}`,
    isEqual ? 'equal' : 'differ',
    String(books?.transactions ?? '-'),
    balance,
    books === null ? '-' : `${expected.marker} due, ${books.lastMarker} there`,
  ]);
  return [line, ...problems.map((problem) => `  ✗ ${problem}`)].join('\n');
}

export function lineOfTrial({ sabotage, what, problems }: Trial): string {
  const noticed = problems[0] === undefined ? '✗ nobody noticed' : `noticed: ${problems[0]}`;
  return `  ${sabotage} (${what})\n    ${noticed}`;
}

/** Every point holds, nothing else went wrong, and sabotage is noticed. */
export function holds({ points, isFaithful, refusals, trials }: Outcome): boolean {
  const noticed = trials.filter(({ problems }) => problems.length > 0).length;
  return (
    points.length > 0 &&
    points.every(({ problems }) => problems.length === 0) &&
    isFaithful &&
    Object.values(refusals).every((code) => code.startsWith('DR_')) &&
    kinds.every((kind) => trials.some(({ sabotage }) => sabotage === kind)) &&
    noticed >= trials.length * NOTICED_SHARE_MIN
  );
}

export function conclusion(outcome: Outcome): string {
  const { seed, points, checkpoints, drilled, isFaithful, refusals, trials } = outcome;
  const sound = points.filter(({ problems }) => problems.length === 0).length;
  return [
    '',
    `seed                 ${seed}`,
    `points               ${sound} of ${points.length} hold; ${points.at(-1)?.books?.transactions ?? 0} transactions, ${checkpoints} checkpoints`,
    `drill                ${drilled === null ? 'none' : `${drilled}, the same bytes`}`,
    `stream applied whole ${isFaithful ? 'makes the point, byte for byte' : '✗ does not make the point'}`,
    ...Object.entries(refusals).map(([what, code]) => `refused              ${what}: ${code}`),
    ...kinds.map((kind) => `noticed              ${countOf(trials, kind)}  ${kind}`),
    holds(outcome) ? 'Proven.' : 'Not proven: see above.',
  ].join('\n');
}

const kinds = Object.keys(sabotages) as SabotageName[];

function countOf(trials: readonly Trial[], kind: SabotageName): string {
  const of = trials.filter(({ sabotage }) => sabotage === kind);
  return `${of.filter(({ problems }) => problems.length > 0).length} of ${of.length}`;
}

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(columns[index] ?? 0))
    .join(' ')
    .trimEnd();
}
