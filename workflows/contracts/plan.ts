/** Runs of recovery plans, and what they ask of steps. Plain JSON only. */
import type { MachineId, OperationId, ProtectedItemId, VCenterId } from '../../domain/ids.ts';
import type { Requester } from '../../domain/job.ts';
import type { PlanRunKind, RecoveryPlan, StepAction } from '../../domain/plan/plan.ts';
import type { RecoveryPointChoice } from '../../domain/replication.ts';
import type { HomePlace } from './home.ts';
import type { DecisionInput } from './types.ts';

/** A plan as it was applied: what a run pins. */
export interface PinnedPlan {
  readonly name: string;
  /** Counts from 1, with every change. */
  readonly version: number;
  /** SHA-256 of the text, hex. */
  readonly sha256: string;
  readonly plan: RecoveryPlan;
}

/** A machine of a run, pinned when the run begins. */
export interface RunMember {
  readonly itemId: ProtectedItemId;
  readonly machineName: string;
  readonly group: string;
  readonly site: string;
  /** Azure region. */
  readonly location: string;
  /** In a run to a moment: the newest point of this machine that is not later. Absent: the run's choice. */
  readonly pointId?: string;
}

export interface PlanRunInput {
  readonly runId: OperationId;
  readonly requestedBy: Requester;
  readonly kind: PlanRunKind;
  readonly plan: PinnedPlan;
  readonly members: readonly RunMember[];
  readonly choice: RecoveryPointChoice;
  readonly shutdownSource: boolean;
  /** Subnet of an isolated network; only in a drill. */
  readonly subnetId?: string;
  /** Where machines come home to; absent: where they were. Only in a reprotect. */
  readonly place?: HomePlace;
  /** Nobody is there to decide: what fails is rolled back. */
  readonly unattended?: true;
  /** A cleanup of the drills of this run and no other. */
  readonly onlyDrillOf?: OperationId;
}

export interface DrillExpiryInput {
  readonly drill: PlanRunInput;
  /** From the end of the drill's run to its cleanup. */
  readonly afterSeconds: number;
}

/** Kinds of steps that a worker carries out; waiting and people are the run's own. */
export type WorkerAction = Exclude<StepAction, { kind: 'manual' | 'wait' }>;

/** Where a member runs now, for steps that ask it. */
export interface StepMachine {
  readonly machineName: string;
  /** Null: nobody knows an address. */
  readonly address: string | null;
  /** ARM id; absent: it runs on premises. */
  readonly vmId?: string;
  /** Where it runs on premises: its site asks vCenter for the address, at every look. */
  readonly source?: { readonly vcenterId: VCenterId; readonly machineId: MachineId };
}

export interface StepInput {
  readonly runId: OperationId;
  readonly planName: string;
  readonly planVersion: number;
  readonly kind: PlanRunKind;
  readonly stepName: string;
  readonly action: WorkerAction;
  /** Every member, by its name in the plan. */
  readonly machines: Readonly<Record<string, StepMachine>>;
  /** Of one try. The activity ends by itself before. */
  readonly timeoutSeconds: number;
}

export interface StepResult {
  /** What was observed, for people: `200 in 31 ms`. */
  readonly detail: string;
  /** What was observed, for the evidence. Never a secret. */
  readonly observed: Readonly<Record<string, string | number | boolean>>;
}

export interface StepActivities {
  /** One try. @throws DR_STEP_FAILED, which says what was observed; DR_SECRET_UNKNOWN */
  runStep(input: StepInput): Promise<StepResult>;
}

/** What a run asks of one member. */
export interface OperateMemberInput {
  readonly runId: OperationId;
  readonly requestedBy: Requester;
  readonly kind: PlanRunKind;
  /** Takes back what the run has done. */
  readonly undo?: true;
  readonly member: RunMember;
  /** The same in every try: a repeated call joins the operation that was begun. */
  readonly operationId: OperationId;
  readonly choice: RecoveryPointChoice;
  readonly shutdownSource: boolean;
  readonly subnetId?: string;
  readonly place?: HomePlace;
  /** Cleans up only a drill of this run. */
  readonly onlyDrillOf?: OperationId;
  /** When the machine is busy with something else. */
  readonly onBusy: 'refuse' | 'queue';
}

/** What became of it, as the item itself says afterwards. */
export interface MemberResult {
  /** `reached`: nothing was left to do. */
  readonly ended: 'succeeded' | 'reached';
  readonly detail: string;
  readonly machine: StepMachine;
  readonly facts: MemberFacts;
}

/** Of a drill, a failover or a failback; what the operation does not know is absent. */
export interface MemberFacts {
  readonly recoveryPointId?: string;
  /** ISO 8601 UTC. */
  readonly recoveryPointTime?: string;
  readonly consistency?: string;
  readonly source?: string;
  readonly rtoSeconds?: number;
  readonly rpoSeconds?: number;
  readonly resourceGroup?: string;
  /** Of a cleanup: the drill that was removed, proven by an empty listing. */
  readonly removedRunId?: string;
}

/** How a run ended; its job says why. */
export interface PlanRunOutcome {
  readonly runId: OperationId;
  readonly ended: 'succeeded' | 'failed' | 'cancelled';
}

export interface ScheduledDrillInput {
  readonly planName: string;
  /** As it was written, for whoever looks: the schedule keeps only what it means. */
  readonly cron: string;
  /** ISO 8601 UTC; no drill begins inside. */
  readonly blackouts: readonly { readonly from: string; readonly to: string }[];
}

export interface PlanActivities {
  /** The plan as it was applied last, and the machines its selectors find now. @throws DR_PLAN_UNKNOWN, DR_PLAN_NOT_READY */
  pinPlan(input: { readonly name: string }): Promise<Pick<PlanRunInput, 'plan' | 'members' | 'subnetId'>>;

  /**
   * Runs one operation of a member to its end, or finds it done. Beats with what it waits for.
   * @throws DR_MEMBER_FAILED with what the item's own job said, and what its state table refuses with
   */
  operateMember(input: OperateMemberInput): Promise<MemberResult>;
}

/** An operator's decision about a run; `taskId` names the step or machine that waits. */
export interface PlanDecision extends DecisionInput {
  readonly job: OperationId;
  readonly taskId?: string;
}
