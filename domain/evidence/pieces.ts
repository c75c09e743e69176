/** A page in pieces, each with the name of what it shows: the first byte that differs then has a name. */
import { escaped, shown } from './markup.ts';

export interface Piece {
  readonly label: string;
  readonly html: string;
}
export type Cell = readonly Piece[];

/** Shows values of one entry; `path` is that of the value inside it. */
export interface Shower {
  readonly text: (path: string, value: string | number | boolean | undefined) => Cell;
  readonly seconds: (path: string, value: number | undefined) => Cell;
  readonly time: (path: string, value: string | undefined) => Cell;
  /** A word of ours that has a colour too. */
  readonly word: (path: string, value: string) => Cell;
  readonly code: (path: string, value: string | number | undefined) => Cell;
  readonly list: (path: string, values: readonly Cell[]) => Cell;
}

const UNKNOWN = '–';

export function showerOf(label: string): Shower {
  const piece = (path: string, html: string): Cell => [{ label: `${label}: ${path}`, html }];
  const or = <T>(value: T | undefined, html: (value: T) => string) =>
    value === undefined ? UNKNOWN : html(value);
  return {
    text: (path, value) =>
      piece(
        path,
        or(value, (known) => shown(String(known))),
      ),
    seconds: (path, value) => piece(path, or(value, secondsText)),
    time: (path, value) => piece(path, or(value, timeText)),
    word: (path, value) => piece(path, `<span class="${escaped(value)}">${shown(wordsOf(value))}</span>`),
    code: (path, value) =>
      piece(
        path,
        or(value, (known) => `<code>${shown(String(known))}</code>`),
      ),
    list: (path, values) =>
      values.length === 0
        ? piece(path, UNKNOWN)
        : [
            ...piece(path, '<ul>'),
            ...values.flatMap((value) => [...piece(path, '<li>'), ...value, ...piece(path, '</li>')]),
            ...piece(path, '</ul>'),
          ],
  };
}

/** Cells below each other, those that show nothing known left out. */
export function stacked(first: Cell, ...more: readonly Cell[]): Cell {
  const known = [first, ...more].filter((cell) => cell.some(({ html }) => html !== UNKNOWN));
  if (known.length === 0) return first;
  return known.flatMap((cell, index) =>
    index === 0 ? cell : [{ label: cell[0]?.label ?? '', html: '<br>' }, ...cell],
  );
}

/** A value behind words, which may be others' too. */
export function prefixed(words: string, cell: Cell): Cell {
  const [first, ...rest] = cell;
  return first === undefined ? cell : [{ ...first, html: `${shown(words)} ${first.html}` }, ...rest];
}

export interface Table {
  readonly title: string;
  readonly caption: string;
  readonly head: readonly string[];
  /** The first cell of a row is its heading. */
  readonly rows: readonly (readonly Cell[])[];
}

export function tableOf({ title, caption, head, rows }: Table): Piece[] {
  const own = (html: string): Piece => ({ label: `heading of "${title}"`, html });
  return [
    own(
      `<section>\n<h2>${escaped(title)}</h2>\n<div class="wide" role="region" aria-label="${escaped(title)}" tabindex="0">\n`,
    ),
    own(`<table>\n<caption>${escaped(caption)}</caption>\n<thead><tr>`),
    own(`${head.map((each) => `<th scope="col">${escaped(each)}</th>`).join('')}</tr></thead>\n<tbody>\n`),
    ...rows.flatMap(rowOf),
    own('</tbody>\n</table>\n</div>\n</section>\n'),
  ];
}

function rowOf(cells: readonly Cell[]): Piece[] {
  const row = cells.flatMap((cell, index) => {
    const label = cell[0]?.label ?? '';
    const [begin, end] = index === 0 ? ['<th scope="row">', '</th>'] : ['<td>', '</td>'];
    return [{ label, html: begin }, ...cell, { label, html: end }];
  });
  const label = row[0]?.label ?? '';
  return [{ label, html: '<tr>' }, ...row, { label, html: '</tr>\n' }];
}

/** `312.4 s (5 min 12 s)`: the figure as it was recorded, and as people read it. */
function secondsText(seconds: number): string {
  const whole = Math.floor(seconds);
  if (!(whole >= 120)) return `${seconds} s`;
  const parts = [
    [Math.floor(whole / 3600), 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ] as const;
  const words = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return `${seconds} s (${words.join(' ')})`;
}

function timeText(time: string): string {
  const [, day, clock] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z$/.exec(time) ?? [];
  return day === undefined ? shown(time) : `<time datetime="${time}">${day} ${clock} UTC</time>`;
}

/** `sourceStateUnknown` → `source state unknown`. */
export function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
