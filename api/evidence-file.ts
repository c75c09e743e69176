/** Reads and checks a bundle of evidence: the forms of its parts, and the verdict over a file. */
import { z } from 'zod';
import type { EvidenceCheck, Shape, Verdict } from '../domain/evidence/verify.ts';
import { verifyEvidence } from '../domain/evidence/verify.ts';
import { bodiesOf } from '../domain/evidence/chain.ts';
import { wellFormed } from '../domain/evidence/canonical.ts';
import {
  approvalAnswers,
  memberOutcomes,
  runOutcomes,
  stepOutcomes,
  type RunRecord,
} from '../domain/evidence/record.ts';
import { planRunKinds } from '../domain/plan/plan.ts';

const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `is not ${bytes * 2} lower-case hexadecimal digits`);
const count = z.int().min(0);
const text = z.string();
const seconds = z.number().exactOptional();
const optionalText = text.exactOptional();

const failures = z
  .array(
    z.object({
      startedAt: text,
      endedAt: text,
      error: z.object({ code: text, message: text, remedy: text }),
    }),
  )
  .exactOptional();
const error = z.object({ code: text, message: text, remedy: text }).exactOptional();
const objective = z.object({ target: seconds, reached: seconds }).exactOptional();

/** Fields that a later program adds are no error: the hashes cover them. */
const bodies = {
  run: z.object({
    id: text,
    kind: z.enum(planRunKinds),
    startedBy: text,
    startedAt: text,
    endedAt: text,
    outcome: z.enum(runOutcomes),
    error,
    rpoSeconds: objective,
    rtoSeconds: objective,
  }),
  plan: z.object({ name: text, version: count, sha256: hex(32), text: optionalText }),
  member: z.object({
    machineName: text,
    itemId: text,
    group: text,
    recoveryPoint: z.object({ id: text, time: text, consistency: optionalText }).exactOptional(),
    source: optionalText,
    rpoSeconds: seconds,
    rtoSeconds: seconds,
    disks: z
      .array(z.object({ id: text, bytes: count.exactOptional(), hashOf: text, hash: text }))
      .exactOptional(),
    azureIds: z.array(text).exactOptional(),
    address: optionalText,
    startedAt: optionalText,
    endedAt: optionalText,
    outcome: z.enum(memberOutcomes),
    detail: optionalText,
    error,
    failures,
    verification: z
      .object({
        job: text,
        endedAt: text,
        pointId: text,
        comparedBytes: count,
        changedBytes: count,
        differingBytes: count,
      })
      .exactOptional(),
    bootLog: z
      .object({
        at: text,
        bytes: count.exactOptional(),
        sha256: hex(32).exactOptional(),
        text: optionalText,
        problem: optionalText,
      })
      .exactOptional(),
  }),
  step: z.object({
    name: text,
    where: text,
    action: z.enum(['manual', 'command', 'runCommand', 'webhook', 'wait', 'probe']),
    isCritical: z.boolean().exactOptional(),
    tries: count.exactOptional(),
    startedAt: optionalText,
    endedAt: optionalText,
    outcome: z.enum(stepOutcomes),
    detail: optionalText,
    observed: z.record(text, z.union([text, z.number(), z.boolean()])).exactOptional(),
    approval: z
      .object({
        answer: z.enum(approvalAnswers),
        by: optionalText,
        at: text,
        reason: optionalText,
      })
      .exactOptional(),
    error,
    failures,
  }),
  decision: z.object({
    by: text,
    at: text,
    decision: text,
    step: optionalText,
    reason: optionalText,
    instead: optionalText,
  }),
  cleanup: z.object({ runTag: text, providers: z.array(text), remaining: z.array(text), at: text }),
  prediction: z.object({
    rtoSecondsP50: seconds,
    rtoSecondsP90: seconds,
    rpoSeconds: seconds,
    madeAt: optionalText,
  }),
} as const;

function entryOf<const K extends keyof typeof bodies>(kind: K) {
  return z.object({
    seq: count,
    kind: z.literal(kind),
    previous: hex(32),
    marks: z.string().regex(/^(?:[0-9a-f]{6})*$/, 'is not hexadecimal digits by sixes'),
    body: bodies[kind],
    hash: hex(32),
  });
}

const entrySchema = z.discriminatedUnion('kind', [
  entryOf('run'),
  entryOf('plan'),
  entryOf('member'),
  entryOf('step'),
  entryOf('decision'),
  entryOf('cleanup'),
  entryOf('prediction'),
]);

const sealSchema = z.object({
  entries: count,
  head: hex(32),
  keyId: hex(32),
  publicKey: hex(44),
  software: text,
  signature: hex(64),
});

const shapeOf =
  (schema: z.ZodType): Shape =>
  (value) => {
    const [issue] = schema.safeParse(value).error?.issues ?? [];
    return issue && { path: pathOf(issue.path), reason: issue.message };
  };

const shapes = { entry: shapeOf(entrySchema), seal: shapeOf(sealSchema) };

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((told, key) => {
    if (typeof key === 'number') return `${told}[${key}]`;
    return told === '' ? String(key) : `${told}.${String(key)}`;
  }, '');
}

export interface EvidenceFileCheck {
  readonly check: EvidenceCheck;
  /** SubjectPublicKeyInfo of each, hexadecimal. */
  readonly trustedKeys: readonly string[];
}

/** The verdict over the bytes of a file; no network is asked. */
export function verifyEvidenceFile(bytes: Uint8Array, options: EvidenceFileCheck): Verdict {
  const read = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const isUtf8 = Buffer.from(read, 'utf8').equals(bytes);
  return verifyEvidence({ text: read, isUtf8 }, { ...options, shapes });
}

/** Why a record could not be verified once it was sealed; undefined: it can. */
export function recordProblem(record: RunRecord): string | undefined {
  for (const [kind, body] of bodiesOf(record)) {
    const problem = shapeOf(bodies[kind])(wellFormed(body));
    if (problem !== undefined) return `${kind}: ${problem.path}: ${problem.reason}`;
  }
  return undefined;
}
