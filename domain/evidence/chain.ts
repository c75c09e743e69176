/**
 * The chain: a record as a row of entries, each with the SHA-256 of the one before it, and a seal that signs the last.
 * Hashing and signing are passed in: this file knows neither keys nor files. docs/evidence.md tells every byte.
 */
import { canonical, leavesOf, wellFormed, type Json } from './canonical.ts';
import { EVIDENCE_VERSION } from './record.ts';
import type {
  CleanupProof,
  DecisionRecord,
  MemberRecord,
  PlanFacts,
  PredictionRecord,
  RunFacts,
  RunRecord,
  StepRecord,
} from './record.ts';

/** The bodies of entries, in the order in which their kinds follow each other. */
export interface EntryBodies {
  readonly run: RunFacts;
  readonly plan: PlanFacts;
  readonly member: MemberRecord;
  readonly step: StepRecord;
  readonly decision: DecisionRecord;
  readonly cleanup: CleanupProof;
  readonly prediction: PredictionRecord;
}
export type EntryKind = keyof EntryBodies;

export type EvidenceEntry = {
  readonly [K in EntryKind]: {
    /** From 0. */
    readonly seq: number;
    readonly kind: K;
    /** Hash of the entry before; 64 zeros in the first. */
    readonly previous: string;
    /** Six hexadecimal digits for each value of the body: they tell which one was altered. */
    readonly marks: string;
    readonly body: EntryBodies[K];
    readonly hash: string;
  };
}[EntryKind];

export interface Seal {
  /** How many there are. */
  readonly entries: number;
  /** Hash of the last entry. */
  readonly head: string;
  /** SHA-256 of `publicKey`. */
  readonly keyId: string;
  /** SubjectPublicKeyInfo (DER) of the Ed25519 key. */
  readonly publicKey: string;
  /** What wrote the bundle: `switchback 0.1.0`. */
  readonly software: string;
  /** Ed25519 over `sealMessage`. */
  readonly signature: string;
}

export interface EvidenceBundle {
  readonly entries: readonly EvidenceEntry[];
  readonly seal: Seal;
}

/** SHA-256 of the UTF-8 bytes, hexadecimal. */
export type Sha256 = (text: string) => string;

/** Signs as one key. Bytes are lower-case hexadecimal text. */
export interface EvidenceSigner {
  readonly keyId: string;
  readonly publicKey: string;
  readonly sha256: Sha256;
  sign(message: string): string;
}

export const CHAIN_BEGIN = '0'.repeat(64);
const MARK_DIGITS = 6;
const ENTRY_DOMAIN = `${EVIDENCE_VERSION}/entry\n`;
const SEAL_DOMAIN = `${EVIDENCE_VERSION}/seal\n`;

/** The same record and key always make the same bundle. */
export function sealRecord(record: RunRecord, signer: EvidenceSigner, software: string): EvidenceBundle {
  const entries = chainOf(record, signer.sha256);
  const seal = {
    entries: entries.length,
    head: entries.at(-1)?.hash ?? CHAIN_BEGIN,
    keyId: signer.keyId,
    publicKey: signer.publicKey,
    software: software.toWellFormed(),
  };
  return { entries, seal: { ...seal, signature: signer.sign(sealMessage(seal)) } };
}

export function chainOf(record: RunRecord, sha256: Sha256): EvidenceEntry[] {
  const entries: EvidenceEntry[] = [];
  for (const [kind, given] of bodiesOf(record)) {
    const body = wellFormed(given);
    const open = {
      seq: entries.length,
      kind,
      previous: entries.at(-1)?.hash ?? CHAIN_BEGIN,
      marks: marksOf(body, sha256),
      body,
    };
    entries.push({ ...open, hash: entryHash(open, sha256) } as unknown as EvidenceEntry);
  }
  return entries;
}

/** What becomes an entry each, in order. */
export function bodiesOf(record: RunRecord): (readonly [EntryKind, unknown])[] {
  const { run, plan, members, steps, decisions, cleanup, prediction } = record;
  return [
    ['run', run],
    ['plan', plan],
    ...members.map((member) => ['member', member] as const),
    ...steps.map((step) => ['step', step] as const),
    ...decisions.map((decision) => ['decision', decision] as const),
    ...(cleanup === undefined ? [] : [['cleanup', cleanup] as const]),
    ...(prediction === undefined ? [] : [['prediction', prediction] as const]),
  ];
}

/** The record that a chain was made of; the first entries must be a run and its plan. */
export function recordOf(entries: readonly EvidenceEntry[]): RunRecord {
  const bodies = <K extends EntryKind>(kind: K) =>
    entries.flatMap((entry) => (entry.kind === kind ? [entry.body as EntryBodies[K]] : []));
  const [run] = bodies('run');
  const [plan] = bodies('plan');
  if (run === undefined || plan === undefined) throw new RangeError('a record without its run or its plan');
  const [cleanup] = bodies('cleanup');
  const [prediction] = bodies('prediction');
  return {
    apiVersion: EVIDENCE_VERSION,
    run,
    plan,
    members: bodies('member'),
    steps: bodies('step'),
    decisions: bodies('decision'),
    ...(cleanup === undefined ? {} : { cleanup }),
    ...(prediction === undefined ? {} : { prediction }),
  };
}

/** Of everything in the entry but the hash itself. */
export function entryHash(entry: object, sha256: Sha256): string {
  return sha256(ENTRY_DOMAIN + canonical({ ...entry, hash: undefined }));
}

/** What the signature is over: everything in the seal but the signature itself. */
export function sealMessage(seal: Omit<Seal, 'signature'>): string {
  return SEAL_DOMAIN + canonical({ ...seal, signature: undefined });
}

export function marksOf(body: Json, sha256: Sha256): string {
  return leavesOf(body)
    .map(([path, value]) => sha256(`${path}\n${canonical(value)}`).slice(0, MARK_DIGITS))
    .join('');
}

/** The first value of the body that has another mark; undefined: all marks fit. */
export function firstMarkedDifference(body: Json, marks: string, sha256: Sha256): string | undefined {
  const now = marksOf(body, sha256);
  if (now === marks) return undefined;
  const paths = leavesOf(body).map(([path]) => path);
  const at = paths.findIndex((_, index) => markAt(now, index) !== markAt(marks, index));
  return at === -1 ? 'a field that was removed' : paths[at];
}

function markAt(marks: string, index: number): string {
  return marks.slice(index * MARK_DIGITS, (index + 1) * MARK_DIGITS);
}
