/**
 * Whether a bundle is what its key has signed, and if not, the first thing in it that was altered: the entries in their
 * order, the seal, then the page, which is made once more and compared byte for byte.
 */
import { canonical, type Json } from './canonical.ts';
import {
  CHAIN_BEGIN,
  entryHash,
  firstMarkedDifference,
  marksOf,
  recordOf,
  sealMessage,
  type EntryKind,
  type EvidenceEntry,
  type Seal,
  type Sha256,
} from './chain.ts';
import { blockOf } from './frame.ts';
import { labelOf } from './labels.ts';
import { plain } from './markup.ts';
import type { RunRecord } from './record.ts';
import { placeAt, renderPage } from './render.ts';

/** What a verifier can do; bytes are lower-case hexadecimal text. */
export interface EvidenceCheck {
  readonly sha256: Sha256;
  readonly sha256OfBytes: (hex: string) => string;
  /** False, too, when key or signature are none. */
  readonly isSigned: (message: string, signature: string, publicKey: string) => boolean;
}

/** Whether a parsed text has the form it must have; a problem names the path inside it. */
export type Shape = (value: unknown) => { readonly path: string; readonly reason: string } | undefined;

export interface VerifyOptions {
  readonly check: EvidenceCheck;
  readonly shapes: { readonly entry: Shape; readonly seal: Shape };
  /** Public keys that the verifier trusts; empty: there is nothing to compare the key with. */
  readonly trustedKeys: readonly string[];
}

export interface Alteration {
  /** `step 4 \`database-answers\`: observed.status` */
  readonly place: string;
  readonly reason: string;
}

export type Verdict =
  | {
      readonly verdict: 'verified';
      /** False: the signature is that of the key inside, which was compared with none. */
      readonly isKeyTrusted: boolean;
      readonly keyId: string;
      /** Hash of the last entry. */
      readonly head: string;
      readonly software: string;
      readonly record: RunRecord;
    }
  | ({ readonly verdict: 'altered' } & Alteration)
  /** The bundle is whole, but signed by a key that is none of the trusted ones. */
  | { readonly verdict: 'otherKey'; readonly keyId: string };

const altered = (place: string, reason: string): Alteration => ({ place, reason });
const isAlteration = (found: object): found is Alteration => 'reason' in found && 'place' in found;

/** `text`: the bytes as UTF-8, with U+FFFD for what is none (then not `isUtf8`) and a byte order mark kept. */
export function verifyEvidence(
  file: { readonly text: string; readonly isUtf8: boolean },
  options: VerifyOptions,
): Verdict {
  const entries = readChain(file.text, options);
  if (isAlteration(entries)) return { verdict: 'altered', ...entries };
  const seal = readSeal(file.text, entries, options);
  if (isAlteration(seal)) return { verdict: 'altered', ...seal };
  const page = pageAlteration(file, { entries, seal });
  if (page !== undefined) return { verdict: 'altered', ...page };
  const { keyId, head, software, publicKey } = seal;
  const isKeyTrusted = options.trustedKeys.includes(publicKey);
  if (options.trustedKeys.length > 0 && !isKeyTrusted) return { verdict: 'otherKey', keyId };
  return { verdict: 'verified', isKeyTrusted, keyId, head, software, record: recordOf(entries) };
}

function readChain(text: string, options: VerifyOptions): EvidenceEntry[] | Alteration {
  const block = blockOf(text);
  const lines = 'entries' in block ? block.entries : [];
  const entries: EvidenceEntry[] = [];
  const seen = new Map<string, number>();
  for (const line of lines) {
    const read = readEntry(line, { before: entries.at(-1), seq: entries.length, seen, options });
    if (isAlteration(read)) return read;
    entries.push(read);
    seen.set(read.kind, (seen.get(read.kind) ?? 0) + 1);
  }
  if ('problem' in block) return altered(placeOfProblem(block.entriesSeen), block.problem);
  return orderAlteration(entries) ?? entries;
}

function placeOfProblem(entriesSeen: number): string {
  return entriesSeen === 0 ? 'file' : `after entry ${entriesSeen - 1}`;
}

interface Turn {
  readonly before: EvidenceEntry | undefined;
  readonly seq: number;
  readonly seen: ReadonlyMap<string, number>;
  readonly options: VerifyOptions;
}

function readEntry(line: string, turn: Turn): EvidenceEntry | Alteration {
  const { seq, seen, options } = turn;
  const parsed = parsedOr(line);
  if (parsed === undefined) return altered(guessedLabel(line, turn), 'it is no JSON any more');
  const problem = options.shapes.entry(parsed);
  if (problem !== undefined) {
    const label = guessedLabel(line, turn);
    return altered(`${label}: ${plain(problem.path.replace(/^body\./, ''))}`, problem.reason);
  }
  const entry = parsed as EvidenceEntry;
  const label = labelOf(entry.kind, (seen.get(entry.kind) ?? 0) + 1, entry.body);
  const { sha256 } = options.check;
  const previous = turn.before?.hash ?? CHAIN_BEGIN;
  if (entryHash(entry, sha256) !== entry.hash) {
    return altered(
      `${label}: ${plain(alteredField(entry, { seq, previous }, sha256))}`,
      'the hash of the entry is another',
    );
  }
  if (entry.seq !== seq) {
    return altered(
      `entry ${seq}`,
      `${label} (entry ${entry.seq}) stands in its place: entries were removed, added or put in another order`,
    );
  }
  if (entry.previous === previous) return entry;
  return altered(
    label,
    'it does not belong behind the entry before it: one of the two is from somewhere else',
  );
}

/** What of an entry, taken back, makes its hash right again; the value whose mark does not fit; or the hash itself. */
function alteredField(
  entry: EvidenceEntry,
  right: { readonly seq: number; readonly previous: string },
  sha256: Sha256,
): string {
  const body = entry.body as unknown as Json;
  const repairs = { seq: right.seq, previous: right.previous, marks: marksOf(body, sha256) };
  const repaired = Object.entries(repairs).find(
    ([field, value]) => entryHash({ ...entry, [field]: value }, sha256) === entry.hash,
  );
  return repaired?.[0] ?? firstMarkedDifference(body, entry.marks, sha256) ?? 'hash';
}

/** For a line that cannot be trusted to say what it is. */
function guessedLabel(line: string, { seq, seen }: Turn): string {
  const [, kind] = /"kind":"(run|plan|member|step|decision|cleanup|prediction)"/.exec(line) ?? [];
  if (kind === undefined) return `entry ${seq}`;
  const [, name] = /"(?:machineName|name)":"([^"\\]*)"/.exec(line) ?? [];
  const body = name === undefined ? {} : { name, machineName: name };
  return labelOf(kind as EntryKind, (seen.get(kind) ?? 0) + 1, body);
}

const ranks: Readonly<Record<EntryKind, number>> = {
  run: 0,
  plan: 1,
  member: 2,
  step: 3,
  decision: 4,
  cleanup: 5,
  prediction: 6,
};
const once: readonly EntryKind[] = ['run', 'plan'];
const atMostOnce: readonly EntryKind[] = ['run', 'plan', 'cleanup', 'prediction'];

function orderAlteration(entries: readonly EvidenceEntry[]): Alteration | undefined {
  const missing = once.find((kind) => !entries.some((entry) => entry.kind === kind));
  if (missing !== undefined) return altered(missing, 'the record does not hold it');
  for (const [index, entry] of entries.entries()) {
    const before = entries[index - 1];
    if (before === undefined) continue;
    const isTwice = entry.kind === before.kind && atMostOnce.includes(entry.kind);
    if (isTwice || ranks[entry.kind] < ranks[before.kind]) {
      return altered(`entry ${index}`, `a ${entry.kind} has no place behind a ${before.kind}`);
    }
  }
  return undefined;
}

function readSeal(
  text: string,
  entries: readonly EvidenceEntry[],
  options: VerifyOptions,
): Seal | Alteration {
  const block = blockOf(text);
  const parsed = 'seal' in block ? parsedOr(block.seal) : undefined;
  if (parsed === undefined) return altered('seal', 'it is no JSON any more');
  const problem = options.shapes.seal(parsed);
  if (problem !== undefined) return altered(`seal: ${plain(problem.path)}`, problem.reason);
  const seal = parsed as Seal;
  const { check } = options;
  if (check.sha256OfBytes(seal.publicKey) !== seal.keyId) {
    return altered('seal: publicKey', 'the key and its id do not belong together');
  }
  const isSigned = check.isSigned(sealMessage(seal), seal.signature, seal.publicKey);
  const last = entries.at(-1);
  if (seal.entries > entries.length && isSigned) {
    return altered(`entry ${entries.length}`, `it is missing: the seal counts ${seal.entries} entries`);
  }
  if (seal.head !== last?.hash) {
    return altered(
      'seal: head',
      isSigned ? 'it is the seal of another record' : 'it is not the hash of the last entry',
    );
  }
  if (seal.entries !== entries.length) return altered('seal: entries', `the record holds ${entries.length}`);
  return isSigned ? seal : altered('seal', `key ${seal.keyId} has not signed it as it stands here`);
}

function pageAlteration(
  { text, isUtf8 }: { readonly text: string; readonly isUtf8: boolean },
  bundle: { readonly entries: readonly EvidenceEntry[]; readonly seal: Seal },
): Alteration | undefined {
  const page = renderPage(bundle);
  const at = firstDifference(text, page.html);
  if (at === undefined) return isUtf8 ? undefined : altered('file', 'it holds bytes that are no UTF-8');
  if (at === page.html.length) return altered('end of the file', 'something was added');
  const place = placeAt(page, at);
  if (at === text.length) return altered(place, 'the file ends here');
  return altered(place, 'the file shows something else than the signed record');
}

function firstDifference(a: string, b: string): number | undefined {
  if (a === b) return undefined;
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) if (a[at] !== b[at]) return at;
  return shorter;
}

/** Also undefined: what has no canonical form, so that nothing later trips over it. */
function parsedOr(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line);
    canonical(value);
    return value;
  } catch {
    return undefined;
  }
}
