/**
 * The page of a bundle: one file that needs no network and no program to be read, and holds its chain. The same bundle
 * is the same page on every machine: neither locale nor time zone nor the runtime's tables of Unicode are asked.
 */
import { recordOf, type EvidenceBundle } from './chain.ts';
import { BLOCK_BEGIN, BLOCK_END, blockLines } from './frame.ts';
import { labelOf } from './labels.ts';
import { escaped, plain } from './markup.ts';
import type { Piece } from './pieces.ts';
import { bootLogsSection, failuresSection, verificationsSection } from './more-sections.ts';
import {
  cleanupSection,
  decisionsSection,
  disksSection,
  headerOf,
  membersSection,
  objectivesSection,
  planTextSection,
  predictionSection,
  runSection,
  sealSection,
  stepsSection,
  titleOf,
} from './sections.ts';
import { PAGE_STYLE } from './style.ts';
import type { RunRecord } from './record.ts';

export interface Page {
  readonly html: string;
  readonly pieces: readonly Piece[];
}

/** Nothing may be loaded and nothing may run, whatever a name holds. */
const CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export function renderPage(bundle: EvidenceBundle): Page {
  const record = recordOf(bundle.entries);
  const pieces = [
    ...headOf(record),
    ...recordBlock(bundle),
    own('</head>\n<body>\n<main>\n'),
    ...headerOf(record),
    ...runSection(record),
    ...objectivesSection(record),
    ...membersSection(record),
    ...stepsSection(record),
    ...failuresSection(record),
    ...decisionsSection(record),
    ...cleanupSection(record),
    ...predictionSection(record),
    ...disksSection(record),
    ...verificationsSection(record),
    ...bootLogsSection(record),
    ...planTextSection(record),
    ...sealSection(bundle.seal),
    own('</main>\n</body>\n</html>\n'),
  ];
  return { html: pieces.map(({ html }) => html).join(''), pieces };
}

/** What the character at that place of the page shows. */
export function placeAt({ pieces }: Page, at: number): string {
  let end = 0;
  const found = pieces.find(({ html }) => {
    end += html.length;
    return at < end;
  });
  return `page, ${found?.label ?? 'its end'}`;
}

function headOf(record: RunRecord): Piece[] {
  return [
    own('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'),
    own(`<meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}">\n`),
    own('<meta name="viewport" content="width=device-width, initial-scale=1">\n'),
    own(`<title>${escaped(plain(titleOf(record)))}</title>\n`),
    { label: 'its style', html: `<style>${PAGE_STYLE}</style>\n` },
  ];
}

/** Differences here are those that leave the value as it is: another way to write the same JSON. */
function recordBlock(bundle: EvidenceBundle): Piece[] {
  const seen = new Map<string, number>();
  const labels = bundle.entries.map(({ kind, body }) => {
    const number = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, number);
    return `JSON of ${labelOf(kind, number, body)}`;
  });
  const lines = blockLines(bundle);
  const label = (index: number) => labels[index - 1] ?? (index === 0 ? 'begin of the JSON' : 'JSON of seal');
  return [
    { label: 'begin of the JSON', html: BLOCK_BEGIN },
    ...lines.map((html, index) => ({ label: label(index), html })),
    { label: 'end of the JSON', html: BLOCK_END },
  ];
}

function own(html: string): Piece {
  return { label: 'its frame', html };
}
