/** Seals the record of a run and puts it into the vault's storage account, once. */
import { createHash } from 'node:crypto';
import { mapBounded } from '../../dataplane/budget.ts';
import { canonical, wellFormed } from '../../domain/evidence/canonical.ts';
import {
  recordOf,
  sealRecord,
  type EvidenceEntry,
  type EvidenceSigner,
} from '../../domain/evidence/chain.ts';
import { blockOf } from '../../domain/evidence/frame.ts';
import type { MemberRecord, PlanFacts, RunRecord, VerificationRecord } from '../../domain/evidence/record.ts';
import { renderPage } from '../../domain/evidence/render.ts';
import { DrError } from '../../domain/errors.ts';
import { asId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import type { VaultStorage } from '../../domain/ports.ts';

/** Boot logs of a run that are read at the same time. */
const READS_AT_ONCE = 16;

export interface EvidencePorts {
  readonly storage: Pick<VaultStorage, 'putOnce' | 'get'>;
  readonly signer: EvidenceSigner;
  /** `switchback 0.1.0` */
  readonly software: string;
  /** The text of a version of a plan; undefined: it is not known any more. */
  readonly planText: (name: string, version: number) => Promise<string | undefined>;
  /** The last comparison of each machine with its source, by item id. */
  readonly lastVerifications: (
    itemIds: readonly string[],
  ) => Promise<ReadonlyMap<string, VerificationRecord>>;
  /** Why nobody could verify this record once it was sealed; undefined: it can be. */
  readonly problemOf: (record: RunRecord) => string | undefined;
}

export interface WrittenEvidence {
  readonly blob: string;
  /** Of the file, hexadecimal. */
  readonly sha256: string;
  /** Hash of the last entry of its chain, hexadecimal. */
  readonly head: string;
}

export type EvidenceActivities = ReturnType<typeof createEvidenceActivities>;

export function createEvidenceActivities(ports: EvidencePorts) {
  const { storage, signer, software, problemOf } = ports;
  return {
    /**
     * What does not travel with the record is looked up: the text of the plan, the boot logs that the run has kept, the
     * last verification of each machine. A repeated call with the same record
     * answers what the first has written, also when the key or the program is another by now.
     * @throws DR_EVIDENCE_REFUSED when the record is none, or the run has other evidence already
     */
    async writeEvidence({ record: given }: { readonly record: RunRecord }): Promise<WrittenEvidence> {
      const record = await completed(given, ports);
      const problem = problemOf(record);
      if (problem !== undefined) throw refused(record, problem);
      const bundle = sealRecord(record, signer, software);
      const blob = blobNames.evidence(record.plan.name, record.run.id);
      const file = Buffer.from(renderPage(bundle).html, 'utf8');
      if ((await storage.putOnce(blob, file)) === 'created') {
        return { blob, sha256: sha256Of(file), head: bundle.seal.head };
      }
      const earlier = await storage.get(blob);
      const entries = earlier === null ? [] : entriesIn(earlier.body);
      const last = entries.at(-1);
      if (earlier === null || last === undefined || !isSame(recordOf(entries), record)) {
        throw refused(record, `${blob} is there with another content, and evidence is never replaced`);
      }
      return { blob, sha256: sha256Of(earlier.body), head: last.hash };
    },
  };
}

async function completed(record: RunRecord, ports: EvidencePorts): Promise<RunRecord> {
  const { run, plan, members } = record;
  const showsMachines = run.kind === 'test' || run.kind === 'failover';
  const [named, verifications] = await Promise.all([
    withText(plan, ports.planText),
    showsMachines ? ports.lastVerifications(members.map(({ itemId }) => itemId)) : new Map<string, never>(),
  ]);
  const completedMembers = await mapBounded(members, READS_AT_ONCE, async (member) => {
    const verification = verifications.get(member.itemId);
    const withLog = await withBootLog(record, member, ports);
    return { ...withLog, ...(verification === undefined ? {} : { verification }) };
  });
  return { ...record, plan: named, members: completedMembers };
}

/** Only the very bytes that were kept when the run ended. */
async function withBootLog(
  { run, plan }: RunRecord,
  member: MemberRecord,
  { storage }: EvidencePorts,
): Promise<MemberRecord> {
  const { bootLog, itemId } = member;
  if (bootLog?.sha256 === undefined) return member;
  const kept = await storage.get(blobNames.bootLog(plan.name, run.id, asId(itemId)));
  if (kept === null || sha256Of(kept.body) !== bootLog.sha256) return member;
  return { ...member, bootLog: { ...bootLog, text: Buffer.from(kept.body).toString('utf8') } };
}

/** Only the very text that the run has pinned. */
async function withText(plan: PlanFacts, planText: EvidencePorts['planText']): Promise<PlanFacts> {
  if (plan.text !== undefined) return plan;
  const text = await planText(plan.name, plan.version);
  return text !== undefined && sha256Of(Buffer.from(text, 'utf8')) === plan.sha256 ? { ...plan, text } : plan;
}

/** What was looked up makes no other record. */
function isSame(a: RunRecord, b: RunRecord): boolean {
  const compared = (record: RunRecord) =>
    canonical(
      wellFormed({
        ...record,
        plan: { ...record.plan, text: undefined },
        members: record.members.map((member) => ({
          ...member,
          verification: undefined,
          bootLog: member.bootLog && { ...member.bootLog, text: undefined },
        })),
      }),
    );
  return compared(a) === compared(b);
}

/** Of a file of ours: empty when it is none. */
function entriesIn(body: Uint8Array): EvidenceEntry[] {
  const block = blockOf(Buffer.from(body).toString('utf8'));
  if (!('entries' in block)) return [];
  try {
    return block.entries.map((line) => JSON.parse(line) as EvidenceEntry);
  } catch {
    return [];
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function refused({ run }: RunRecord, reason: string): DrError {
  return new DrError('DR_EVIDENCE_REFUSED', { run: run.id, reason });
}
