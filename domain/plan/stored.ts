/** Recovery plans as they are kept: every applied text is a version, and no version is ever changed. */
import type { RecoveryPlan } from './plan.ts';

export interface PlanVersion {
  readonly name: string;
  /** From 1, without gaps; the highest is the one in force. */
  readonly version: number;
  /** SHA-256 of the text as it was applied (UTF-8), hex. */
  readonly sha256: string;
  /** Principal of the token it was applied with. */
  readonly author: string;
  /** ISO 8601 UTC. */
  readonly appliedAt: string;
}

export interface StoredPlan extends PlanVersion {
  readonly text: string;
  readonly plan: RecoveryPlan;
}

/** `unchanged`: the newest version has that very text, and nothing was stored. */
export type AppliedOutcome = 'created' | 'changed' | 'unchanged';
