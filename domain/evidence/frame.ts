/**
 * How the chain stands in the file: one `<script type="application/json">` whose lines are the entries, one each, and
 * the seal. JSON text holds no line break of its own, so a line is an entry whatever names are in it.
 */
import { canonical } from './canonical.ts';
import type { EvidenceBundle } from './chain.ts';
import { inScript } from './markup.ts';
import { EVIDENCE_VERSION } from './record.ts';

export const BLOCK_BEGIN = '<script type="application/json" id="switchback-evidence">\n';
export const BLOCK_END = '</script>\n';
export const FIRST_LINE = `{"apiVersion":"${EVIDENCE_VERSION}","entries":[`;
const SEAL_BEGIN = '],"seal":';

/** Lines of the block, each with its line break. The first opens it, the last holds the seal, between them are the entries. */
export function blockLines({ entries, seal }: EvidenceBundle): string[] {
  const lines = entries.map((entry, index) => {
    const comma = index === entries.length - 1 ? '' : ',';
    return `${inScript(canonical(entry))}${comma}\n`;
  });
  return [`${FIRST_LINE}\n`, ...lines, `${SEAL_BEGIN}${inScript(canonical(seal))}}\n`];
}

export type Block =
  | { readonly entries: readonly string[]; readonly seal: string }
  | { readonly problem: string; readonly entriesSeen: number };

/** The texts of the entries and of the seal in a file; nothing of them is looked at yet. */
export function blockOf(file: string): Block {
  const blocks = file.match(/<script/gi)?.length ?? 0;
  if (blocks === 0) return { problem: 'it holds no record', entriesSeen: 0 };
  if (blocks > 1) return { problem: `it holds ${blocks} script blocks, a bundle holds one`, entriesSeen: 0 };
  const begin = file.indexOf(BLOCK_BEGIN);
  if (begin === -1) return { problem: 'the element that holds the record is another one', entriesSeen: 0 };
  const from = begin + BLOCK_BEGIN.length;
  const end = file.indexOf(BLOCK_END, from);
  const lines = file.slice(from, end === -1 ? undefined : end).split('\n');
  const last = lines.findIndex((line) => line.startsWith(SEAL_BEGIN));
  if (lines[0] !== FIRST_LINE && lines.length > 1) {
    return { problem: 'the first line of the record is not that of a bundle', entriesSeen: 0 };
  }
  if (last === -1) {
    const whole = Math.max(0, lines.length - 2);
    return {
      problem: end === -1 ? 'the file ends inside the record' : 'the record has no seal',
      entriesSeen: whole,
    };
  }
  return {
    entries: lines.slice(1, last).map((line) => line.replace(/,$/, '')),
    seal: (lines[last] ?? '').slice(SEAL_BEGIN.length).replace(/\}$/, ''),
  };
}
