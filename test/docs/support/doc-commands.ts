/** Every command that README, docs/ and examples/ tell people to type. */
import { globSync, readFileSync } from 'node:fs';

export interface DocCommand {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** On one line, without prompt and comment. */
  readonly text: string;
}

export interface Fence {
  readonly file: string;
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
}

const PAGES = ['README.md', 'CONTRIBUTING.md', 'docs/**/*.md', 'examples/**/*.md'];
const EXAMPLES = 'examples/**/*.yaml';
/** Everything in them is typed. */
const SHELL = 'sh';
const PROMPT = /^\s*\$ /;
const PROGRAMS = /^(?:sudo )?(?:switchback|npx|npm|node|docker|git|sh) /;

export function pages(): string[] {
  return globSync(PAGES).toSorted((a, b) => a.localeCompare(b));
}

export function fences(file: string): Fence[] {
  const found: Fence[] = [];
  let open: { line: number; language: string; lines: string[] } | undefined;
  for (const [index, text] of readFileSync(file, 'utf8').split('\n').entries()) {
    const mark = /^\s*```(\S*)/.exec(text);
    if (mark === null) open?.lines.push(text);
    else if (open === undefined) open = { line: index + 1, language: mark[1] ?? '', lines: [] };
    else {
      found.push({ file, ...open });
      open = undefined;
    }
  }
  return found;
}

/** In fences: lines behind a prompt, and all of shell fences. In examples: what their comments say to type. */
export function fencedCommands(): DocCommand[] {
  const inPages = pages().flatMap(fences).flatMap(commandsOf);
  const inExamples = globSync(EXAMPLES).flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((text, index) => {
        const [command] = /(?<=^#.*)switchback .*$/.exec(text) ?? [];
        return command === undefined ? [] : [{ file, line: index + 1, text: command }];
      }),
  );
  return [...inPages, ...inExamples];
}

/** In prose, between backquotes: often without their arguments. */
export function inlineCommands(): DocCommand[] {
  return pages().flatMap((file) => {
    const inFences = new Set(
      fences(file).flatMap(({ line, lines }) => lines.map((_, index) => line + 1 + index)),
    );
    return readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((text, index) => {
        if (inFences.has(index + 1)) return [];
        const spans = [...text.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
        return spans
          .filter((span) => PROGRAMS.test(span))
          .map((span) => ({ file, line: index + 1, text: span }));
      });
  });
}

function commandsOf({ file, line, language, lines }: Fence): DocCommand[] {
  const commands: DocCommand[] = [];
  let before: { line: number; text: string } | undefined;
  for (const [index, written] of lines.entries()) {
    const isTyped = language === SHELL || PROMPT.test(written) || before !== undefined;
    if (!isTyped || written.trim() === '') continue;
    const part = written.replace(PROMPT, '').trim();
    const text = before === undefined ? part : `${before.text} ${part}`;
    const at = before?.line ?? line + 1 + index;
    before = text.endsWith('\\') ? { line: at, text: text.slice(0, -1).trim() } : undefined;
    if (before === undefined) commands.push({ file, line: at, text: withoutComment(text) });
  }
  return commands;
}

function withoutComment(text: string): string {
  return text.replace(/\s+#\s.*$/, '');
}

/** As a shell splits it: words between blanks, quotes keep them together. `<what it is>` is one word. */
export function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"|'[^']*'|<[^>]*>|[^\s"'<])+/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ''),
  );
}
