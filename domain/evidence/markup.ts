/**
 * Text that others chose, made safe for a page, a script block and a terminal. What cannot be seen, or turns the
 * direction of what stands beside it, is shown by its number. The list is written out: a page must come out the same
 * under every version of Unicode that a runtime knows.
 */
const invisibleRanges = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0x00ad, 0x00ad],
  // Marks of direction and of how letters join.
  [0x061c, 0x061c],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  // Letters without a shape.
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x3164, 0x3164],
  [0xffa0, 0xffa0],
  // Variants, byte order mark, what stands between annotations, tags.
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xfff0, 0xfffb],
  [0xe0000, 0xe0fff],
] as const;
const classOf = (range: readonly number[]) => range.map((code) => `\\u{${code.toString(16)}}`).join('-');
const invisible = new RegExp(`[${invisibleRanges.map(classOf).join('')}]`, 'gu');

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? '');
}

/** One value, isolated from the direction of what is around it. */
export function shown(text: string): string {
  return `<bdi>${withNumbers(escaped(text))}</bdi>`;
}

/** Lines and tabs stay what they are; for a `<pre>`, whose first line break a browser drops. */
export function shownLines(text: string): string {
  return `\n${withNumbers(escaped(text), '\n\t')}`;
}

function withNumbers(text: string, kept = ''): string {
  return text.replaceAll(invisible, (sign) =>
    kept.includes(sign) ? sign : `<span class="sign">${numberOf(sign)}</span>`,
  );
}

/** For terminals and messages, of at most `charactersMax`. */
export function plain(text: string, charactersMax = Infinity): string {
  const cut = text.length > charactersMax ? `${text.slice(0, charactersMax).toWellFormed()}…` : text;
  return cut.replaceAll(invisible, numberOf);
}

function numberOf(sign: string): string {
  return `⟨U+${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

/** JSON as it may stand inside `<script>`: the same value, without anything that ends the element or cannot be seen. */
export function inScript(json: string): string {
  return json.replaceAll(/[<>&]/g, unitsOf).replaceAll(invisible, unitsOf);
}

function unitsOf(sign: string): string {
  return sign
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
