/**
 * A recovery plan: which machines of an application move together, in which order, and what is done and checked in
 * between. The same document serves every direction; on the way home groups run in reverse. Durations are seconds.
 * The written form is `api/plan-document.ts`; this is what it means.
 */
/** What a run of a plan does. Each is a runbook of its own over the same document. */
export const planRunKinds = [
  'test',
  'cleanup',
  'failover',
  'commit',
  'reprotect',
  'failback',
  'reEnable',
] as const;
export type PlanRunKind = (typeof planRunKinds)[number];

export interface RecoveryPlan {
  readonly apiVersion: 'switchback/v1';
  /** 1-40 lower-case letters, digits, hyphens. */
  readonly name: string;
  readonly description?: string;
  /** At least one; no upper bound. Names are unique. */
  readonly groups: readonly PlanGroup[];
  /** Around the whole run. */
  readonly steps: StepsAround;
  /** When another run holds one of the machines. */
  readonly onBusy: 'refuse' | 'queue';
  readonly drill: DrillSettings;
  /** What a drill, failover or failback is measured by; absent: nothing was promised. */
  readonly targets?: PlanTargets;
  /** Bounds of this plan, below those of the installation; absent: none of its own. */
  readonly limits: PlanLimits;
}

export interface PlanTargets {
  /** Age of the oldest recovery point that a machine is started from. */
  readonly rpoSeconds?: number;
  /** From the begin of the run to its end. */
  readonly rtoSeconds?: number;
}

export interface PlanGroup {
  readonly name: string;
  /** Names of groups that must be done first. On the way home the arrows turn round. */
  readonly after: readonly string[];
  readonly members: readonly MemberSelector[];
  readonly steps: StepsAround;
  /** Members share one consistent recovery point. */
  readonly isConsistent: boolean;
}

/** How members are named. Tags and folders are looked up when a run begins; what they found then is pinned to the run. */
export type MemberSelector =
  | { readonly by: 'machine'; readonly machine: string; readonly steps: StepsAround }
  | { readonly by: 'tag'; readonly tag: string }
  | { readonly by: 'folder'; readonly folder: string };

export interface StepsAround {
  readonly before: readonly PlanStep[];
  readonly after: readonly PlanStep[];
}

export interface PlanStep {
  /** Unique inside the plan. */
  readonly name: string;
  readonly when: readonly PlanRunKind[];
  /** A critical step that fails stops its group; another one is noted. */
  readonly isCritical: boolean;
  readonly timeoutSeconds: number;
  /** Further tries after the first. */
  readonly retries: number;
  readonly does: StepAction;
  /** Run when the run is rolled back past this step. */
  readonly undo?: StepAction;
}

export type StepAction =
  | {
      readonly kind: 'manual';
      readonly text: string;
      /** Names of those who may approve; empty: anybody who may decide jobs. */
      readonly approvers: readonly string[];
      /** What happens when nobody answers within the step's timeout. */
      readonly onSilence: 'wait' | 'approve' | 'fail';
    }
  | {
      readonly kind: 'command';
      /** Where it runs. */
      readonly on: 'site' | 'configurationServer';
      /** Program and arguments; there is no shell. */
      readonly argv: readonly string[];
      readonly environment: Readonly<Record<string, string>>;
      /** Variable → name of a secret that the worker resolves. */
      readonly secrets: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'runCommand'; readonly machine: string; readonly script: readonly string[] }
  | {
      readonly kind: 'webhook';
      readonly url: string;
      /** Name of the secret that signs the body (HMAC-SHA-256). */
      readonly secret: string;
    }
  | { readonly kind: 'wait'; readonly seconds: number }
  | { readonly kind: 'probe'; readonly probe: Probe };

/** Asks the application, not the machine. `machine` names a member; the address is that of the side it runs on. */
export type Probe =
  | { readonly kind: 'tcp'; readonly machine: string; readonly port: number }
  | {
      readonly kind: 'http';
      readonly machine: string;
      readonly url: string;
      readonly status: number;
      /** The body must hold it. */
      readonly body?: string;
    }
  | {
      readonly kind: 'certificate';
      readonly machine: string;
      readonly port: number;
      readonly serverName: string;
      readonly validDays: number;
    }
  | {
      readonly kind: 'postgresql' | 'mysql';
      readonly machine: string;
      readonly port: number;
      readonly database: string;
      readonly user: string;
      readonly secret: string;
      readonly query: string;
      /** First column of the first row, as text. */
      readonly answer: string;
    }
  | { readonly kind: 'bootLog'; readonly machine: string; readonly pattern: string };

export interface DrillSettings {
  /** Subnet of an isolated network; absent: the operator names it for every drill. */
  readonly subnetId?: string;
  /**
   * A drill that nobody comes back to is cleaned up this long after its run has ended; a run that has not ended this long
   * after it began takes itself back.
   */
  readonly cleanupAfterSeconds: number;
  /** What its machines may cost in that time, by Azure's price list; a dearer drill does not begin. Absent: nothing is asked. */
  readonly costLimit?: CostLimit;
}

export interface CostLimit {
  readonly amount: number;
  /** ISO 4217. */
  readonly currency: string;
}

export interface PlanLimits {
  /** Machines of one group that start at the same time. */
  readonly machinesAtOnce?: number;
  /** Azure cores that a run may add. */
  readonly cores?: number;
}
