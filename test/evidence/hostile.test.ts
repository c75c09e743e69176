/** Names are chosen by others: whatever they are, the page stays ours. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RunRecord } from '../../domain/evidence/record.ts';
import { plain } from '../../domain/evidence/markup.ts';
import { fileOf, sampleRecord, verdictOf } from './support/bundle.ts';

const pieces = [
  '</script>',
  '<script>alert(1)</script>',
  '<!--',
  '-->',
  ']]>',
  '</td></tr></table>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='",
  '&lt;',
  '\u202e',
  '\u2066',
  '\u200f',
  '\ufeff',
  '\u0000',
  '\u001b[31m',
  '\r\n',
  '\u2028',
  '\ud800',
  '\u{e0041}',
  '],"seal":',
  '{"apiVersion":"switchback/evidence/v1","entries":[',
  '__proto__',
  'x'.repeat(10_240),
  'ünï ☃ 名前 مرحبا',
];
const name = fc.oneof(
  fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

function named(text: string): RunRecord {
  const [member] = sampleRecord.members;
  const [step] = sampleRecord.steps;
  if (member === undefined || step === undefined) throw new Error('the sample has both');
  const error = { code: 'DR_INTERNAL', message: text, remedy: text } as const;
  const failures = [{ startedAt: text, endedAt: text, error }];
  const bootLog = { at: text, bytes: 1, sha256: 'a'.repeat(64), text, problem: text };
  return {
    ...sampleRecord,
    run: { ...sampleRecord.run, startedBy: text },
    plan: { ...sampleRecord.plan, name: text, text },
    members: [
      { ...member, machineName: text, group: text, azureIds: [text], address: text, failures, bootLog },
    ],
    steps: [
      {
        ...step,
        name: text,
        where: text,
        detail: text,
        observed: Object.fromEntries([[text, text]]),
        failures,
      },
    ],
    decisions: [{ by: text, at: text, decision: text, step: text, reason: text }],
  };
}

/** The page's own tags, without the signs that stand for what cannot be seen. */
function tagsOf(file: string): readonly string[] {
  const body = file
    .slice(file.indexOf('<body>'))
    .replaceAll(/<span class="sign">⟨U\+[0-9A-F]+⟩<\/span>/g, '');
  return (body.match(/<[^>]*>/g) ?? []).map((tag) => tag.replace(/ datetime="[^"]*"/, ''));
}

const ordinary = tagsOf(fileOf(named('web-01')));

/** Controls but line break and tab, marks of direction, the byte order mark, halves of surrogate pairs. */
function isUnseen(sign: string): boolean {
  const code = sign.codePointAt(0) ?? 0;
  const between = (from: number, to: number) => code >= from && code <= to;
  const isControl = ![0x09, 0x0a].includes(code) && (code < 0x20 || between(0x7f, 0x9f));
  return (
    isControl ||
    between(0x200b, 0x200f) ||
    between(0x2028, 0x202e) ||
    between(0x2066, 0x2069) ||
    between(0xd800, 0xdfff) ||
    code === 0xfeff
  );
}

test('no name adds, ends or turns anything on the page, and every bundle is verified', () => {
  fc.assert(
    fc.property(name, (text) => {
      const file = fileOf(named(text));
      expect(file.match(/<script/gi)).toHaveLength(1);
      expect(file.match(/<\/script/gi)).toHaveLength(1);
      expect(tagsOf(file)).toEqual(ordinary);
      expect(Array.from(file).filter(isUnseen)).toEqual([]);
      const verdict = verdictOf(file);
      expect(verdict).toMatchObject({ verdict: 'verified', isKeyTrusted: true });
      expect('record' in verdict && verdict.record.members[0]?.machineName).toBe(text.toWellFormed());
    }),
    { numRuns: 60 },
  );
});

test('the page loads nothing and runs nothing', () => {
  const file = fileOf(named(pieces.join('')));
  const own = file.replace(/<script[\s\S]*<\/script>/, '');
  expect(own).toContain("default-src 'none'");
  expect(own.match(/<(?:link|img|iframe|object|embed|form|base|a)\b/gi)).toBeNull();
  expect(own.match(/<[^>]* on\w+=/gi)).toBeNull();
  expect(own.match(/url\(|@import/gi)).toBeNull();
});

test('tables can be read by machines for people: captions, headings of columns and of rows', () => {
  const file = fileOf();
  const tables = file.match(/<table>[\s\S]*?<\/table>/g) ?? [];
  expect(tables.length).toBeGreaterThan(7);
  for (const table of tables) {
    expect(table).toMatch(/^<table>\n<caption>[^<]+<\/caption>\n<thead><tr><th scope="col">/);
    const rows = (table.match(/<tbody>[\s\S]*<\/tbody>/)?.[0] ?? '').split('<tr>').slice(1);
    for (const row of rows) expect(row).toMatch(/^<th scope="row">/);
  }
  expect(file).toMatch(/^<!doctype html>\n<html lang="en">/);
});

test('what a terminal shows of a name cannot move its cursor', () => {
  expect(plain('a\u001b[2J\u202eb')).toBe('a⟨U+001B⟩[2J⟨U+202E⟩b');
  expect(plain('x'.repeat(100), 5)).toBe('xxxxx…');
});
