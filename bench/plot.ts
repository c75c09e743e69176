/** `npm run bench -- --plot`: the newest results as drawings. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MiB } from '../domain/units.ts';
import { drawChurn, parseChurn } from './churn-plot.ts';
import { newestResults, type ResultLine } from './results.ts';
import { bestRun, OURS } from './rows.ts';
import { floorStagesOf, stagesOf, type Stage } from './stages.ts';
import { drawing, element, scale, text } from './svg.ts';

const WIDTH = 980;
const LEFT = 250;
const RIGHT = 790;
const LINE = 20;
const GAP = 30;
const OURS_COLOUR = '#0969da';
const PEER_COLOUR = '#afb8c1';
const palette = [
  '#0969da',
  '#54aeff',
  '#1a7f37',
  '#4ac26b',
  '#9a6700',
  '#d4a72c',
  '#bc4c00',
  '#fb8f44',
  '#8250df',
  '#c297ff',
];
const REST_COLOUR = '#d0d7de';
const FILES = ['results.jsonl', 'quick.jsonl'] as const;

/** Paths of what was drawn: from full runs where there are any, else from quick ones. */
export async function drawNewest(folder: string): Promise<string[]> {
  const source = FILES.map((name) => join(folder, name)).find((file) => existsSync(file));
  const lines = source === undefined ? [] : await newestResults(source);
  if (lines.length === 0) throw new Error(`there are no results in ${folder} yet. Run: sudo npm run bench`);
  const drawn = [join(folder, 'bench.svg')];
  await writeFile(drawn[0] ?? '', drawBench(lines));
  const csv = lines.find(({ row }) => row === 'churn')?.file;
  if (csv !== undefined && existsSync(join(folder, csv))) {
    const file = join(folder, 'churn.svg');
    await writeFile(file, drawChurn(parseChurn(await readFile(join(folder, csv), 'utf8'))));
    drawn.push(file);
  }
  return drawn;
}

/** Bars of wall time, each row to its own scale, and below them where the CPU time goes. */
export function drawBench(lines: readonly ResultLine[]): string {
  const parts: string[] = [];
  let y = 30;
  parts.push(
    text(20, y, 'Wall time of each piece of work, best run; each row has its own scale', { class: 'head' }),
  );
  y += 14;
  for (const line of lines.filter(({ row }) => row !== 'stages' && row !== 'floor')) {
    const bars = barsOf(line);
    if (bars.length === 0) continue;
    y += LINE;
    parts.push(text(20, y, line.title, { class: 'head' }));
    y += 6;
    for (const bar of bars) {
      parts.push(...drawBar(bar, y, Math.max(...bars.map(({ seconds }) => seconds))));
      y += LINE;
    }
  }
  for (const [title, stages] of [
    ['CPU seconds of a first copy until point, by stage', stagesOf(lines)],
    ['CPU seconds that it cannot avoid', floorStagesOf(lines)],
  ] as const) {
    if (stages.length === 0) continue;
    y += GAP;
    parts.push(text(20, y, title, { class: 'head' }));
    const stack = drawStack(stages, y + 10);
    parts.push(...stack.parts);
    y = stack.y;
  }
  y += GAP;
  parts.push(text(20, y, footOf(lines), { class: 'small' }));
  return drawing(WIDTH, y + 20, parts);
}

interface Bar {
  readonly name: string;
  readonly seconds: number;
  readonly note: string;
}

function barsOf({ contenders }: ResultLine): Bar[] {
  return Object.entries(contenders).flatMap(([name, contender]) => {
    const best = bestRun(contender);
    const seconds = best?.['wallSeconds'];
    if (seconds === undefined) return [];
    const wire = best?.['wireBytes'];
    const sent = wire === undefined ? '' : ` · ${(wire / MiB).toFixed(wire < 10 * MiB ? 1 : 0)} MiB`;
    return [{ name, seconds, note: `${seconds.toFixed(2)} s${sent}` }];
  });
}

function drawBar({ name, seconds, note }: Bar, y: number, most: number): string[] {
  const end = scale([0, most], [LEFT, RIGHT])(seconds);
  const fill = name.startsWith(OURS) ? OURS_COLOUR : PEER_COLOUR;
  return [
    text(LEFT - 8, y + 12, name, { 'text-anchor': 'end' }),
    element('rect', { x: LEFT, y, width: Math.max(1, end - LEFT), height: LINE - 5, fill }),
    text(end + 6, y + 12, note),
  ];
}

function drawStack(stages: readonly Stage[], top: number): { readonly parts: string[]; readonly y: number } {
  const sum = stages.reduce((total, stage) => total + stage.total, 0);
  const across = scale([0, sum], [20, WIDTH - 20]);
  const parts: string[] = [];
  let begun = 0;
  for (const [index, { stage, total }] of stages.entries()) {
    const fill = palette[index] ?? REST_COLOUR;
    const x = across(begun);
    begun += total;
    parts.push(element('rect', { x, y: top, width: across(begun) - x, height: 24, fill }));
    const [column, row] = [index % 3, Math.floor(index / 3)];
    const [left, y] = [20 + column * 315, top + 44 + row * 18];
    parts.push(element('rect', { x: left, y: y - 9, width: 10, height: 10, fill }));
    parts.push(text(left + 16, y, `${stage}: ${total.toFixed(2)} s`));
  }
  return { parts, y: top + 44 + Math.floor((stages.length - 1) / 3) * 18 };
}

function footOf(lines: readonly ResultLine[]): string {
  const runs = [...new Set(lines.map(({ run }) => run))];
  const [line] = lines.toSorted((a, b) => b.run.localeCompare(a.run));
  if (line === undefined) return '';
  const { machine, load, commit, versions, disk } = line;
  const made = runs.length === 1 ? line.run : `${runs.length} runs, the newest ${line.run}`;
  return (
    `${made} · commit ${commit.slice(0, 10)}${line.dirty ? ' and changes' : ''} · ${machine.cores} × ${machine.cpu} · load ${load.join(' ')} · ` +
    `disk ${disk.bytes / MiB} MiB · ${Object.entries(versions)
      .map(([tool, version]) => `${tool} ${version}`)
      .join(', ')}`
  );
}
