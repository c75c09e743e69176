/** What a run has done, in order, for its result and its evidence; and what taking it back would mean. */
import { FAILURES_MAX, type FailureRecord } from '../../../domain/evidence/record.ts';
import type { JobError } from '../../../domain/job.ts';
import type { StepAction } from '../../../domain/plan/plan.ts';
import type { MemberDigest } from '../../../domain/plan/member-digest.ts';
import type { MemberFacts } from '../../contracts/plan.ts';

export interface StepDone {
  /** Of the task that it was. */
  readonly taskId: string;
  readonly step: string;
  /** Group, machine, or the run itself. */
  readonly where: string;
  readonly action: StepAction['kind'];
  readonly outcome: 'succeeded' | 'skipped' | 'failed' | 'undone';
  readonly startedAt: string;
  readonly endedAt: string;
  readonly detail: string;
  readonly observed: Readonly<Record<string, string | number | boolean>>;
  readonly error?: JobError;
}

export interface MemberDone {
  readonly machineName: string;
  readonly itemId: string;
  readonly group: string;
  readonly operationId: string;
  readonly outcome: 'succeeded' | 'reached' | 'skipped' | 'failed' | 'undone';
  readonly startedAt: string;
  readonly endedAt: string;
  readonly detail: string;
  readonly address: string | null;
  readonly vmId?: string;
  readonly facts: MemberFacts;
  /** What the machine was like when the run began: with what was drilled it is compared later. */
  readonly digest?: MemberDigest;
  readonly error?: JobError;
}

/** A try of a step, a machine or an undo that failed, by the task it belongs to. */
export interface FailedTry extends FailureRecord {
  readonly taskId: string;
}

/** Taken back newest first; those of one batch together. */
export interface Undoable {
  readonly id: string;
  readonly name: string;
  /** The machines of one group. */
  readonly batch?: string;
  run(): Promise<string>;
}

export class PlanBook {
  readonly steps: StepDone[] = [];
  readonly members: MemberDone[] = [];
  readonly #failures = new Map<string, FailureRecord[]>();
  #undoable: readonly Undoable[] = [];

  /** What was said of the machine before is replaced. */
  told(member: MemberDone): void {
    const at = this.members.findIndex(({ itemId }) => itemId === member.itemId);
    if (at === -1) this.members.push(member);
    else this.members[at] = member;
  }

  /** Of one task the first are kept. */
  tried({ taskId, ...failure }: FailedTry): void {
    const earlier = this.#failures.get(taskId) ?? [];
    if (earlier.length < FAILURES_MAX) this.#failures.set(taskId, [...earlier, failure]);
  }

  failuresOf(taskId: string): readonly FailureRecord[] {
    return this.#failures.get(taskId) ?? [];
  }

  /** What is owed again becomes the newest. */
  owe(undoable: Undoable): void {
    this.#undoable = [...this.#undoable.filter(({ id }) => id !== undoable.id), undoable];
  }

  disown(id: string): void {
    this.#undoable = this.#undoable.filter((undoable) => undoable.id !== id);
  }

  /** Newest first, in batches. */
  owed(): readonly (readonly Undoable[])[] {
    const batches: Undoable[][] = [];
    for (const undoable of this.#undoable.toReversed()) {
      const last = batches.at(-1);
      const isSame = undoable.batch !== undefined && last?.[0]?.batch === undoable.batch;
      if (isSame) last?.push(undoable);
      else batches.push([undoable]);
    }
    return batches;
  }
}
