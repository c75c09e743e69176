/** Runs of recovery plans, and what they ask of steps. Plain JSON only. */
import type { DiskRecord, PredictionRecord } from '../../domain/evidence/record.ts';
import type { ErrorCode, ErrorContext } from '../../domain/errors.ts';
import type { MachineId, OperationId, ProtectedItemId, VCenterId } from '../../domain/ids.ts';
import type { Requester } from '../../domain/job.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { MemberDigest } from '../../domain/plan/member-digest.ts';
import type { MemberSituation } from '../../domain/plan/member-move.ts';
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
  readonly vmSize?: string;
  readonly guestFamily?: ItemSpec['guestFamily'];
  /** Of a real failover. */
  readonly subnetId?: string;
  /** Of its policy: the newest durable recovery point is to be no older. */
  readonly rpoThresholdSeconds?: number;
  /** What the machine is like: in the run's result it says what was drilled. */
  readonly digest?: MemberDigest;
  /** In a run to a moment: the newest point of this machine that is not later. Absent: the run's choice. */
  readonly pointId?: string;
  readonly disks?: number;
  /** Where it stood when the run began: what is there already takes nothing of what is scarce. */
  readonly situation?: MemberSituation;
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
  /** What the simulation said before the run began. */
  readonly prediction?: PredictionRecord;
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

/**
 * Which part of its move a machine makes. `prepare`: a drill or failover up to the moment before the machine starts, where
 * it waits for its turn; `start`: the rest of it; `leave`: the turn never comes, the operation ends by its own rules.
 */
export type MovePhase = 'whole' | 'prepare' | 'start' | 'leave';

/** One machine of several that a run moves together. */
export interface AskedMember extends Pick<RunMember, 'itemId' | 'machineName' | 'pointId'> {
  /** The same in every call: a repeated one joins the operation that was begun. */
  readonly operationId: OperationId;
  /** Nobody was asked for this operation before: it cannot have begun. */
  readonly isNew?: true;
  /** An operation of it that waits for its turn: taken back before anything else. */
  readonly prepared?: OperationId;
  /** With `undo`: the operations that the run has asked for. Where none of them has begun, nothing is taken back. */
  readonly operations?: readonly OperationId[];
  /** What the run knows already that its operation asks an operator; absent: nothing. */
  readonly asks?: string;
}

/** What a run asks of machines that it moves together. */
export interface OperateMembersInput extends Pick<
  PlanRunInput,
  'runId' | 'requestedBy' | 'kind' | 'choice' | 'shutdownSource' | 'subnetId' | 'place' | 'onlyDrillOf'
> {
  readonly planName: string;
  readonly phase: MovePhase;
  /** Takes back what the run has done. */
  readonly undo?: true;
  /** When a machine is busy with something else. */
  readonly onBusy: 'refuse' | 'queue';
  /** The caller knows what an end that `asks` is; runs of builds before it do not. */
  readonly hearsQuestions?: true;
  readonly members: readonly AskedMember[];
  /** How long the first that has ended waits for others, so that they are told together. */
  readonly gatherSeconds: number;
}

/**
 * Errors are told, not thrown: those of one machine are nothing to the others. `asks` is no end: its operation waits
 * for an operator, for this; empty: it goes on.
 */
export type MemberEnd = { readonly operationId: OperationId } & (
  | { readonly result: MemberResult }
  | { readonly asks: string }
  | { readonly error: { readonly code: ErrorCode; readonly context: ErrorContext } }
);

/** What became of it, as the item itself says afterwards. */
export interface MemberResult {
  /** `reached`: nothing was left to do. `prepared`: it waits for its turn to start. */
  readonly ended: 'succeeded' | 'reached' | 'prepared';
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
  /** Of the recovery point: what it holds of each disk. */
  readonly disks?: readonly DiskRecord[];
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
  pinPlan(input: {
    readonly name: string;
  }): Promise<Pick<PlanRunInput, 'plan' | 'members' | 'subnetId' | 'prediction'>>;

  /**
   * Runs one operation of each machine to its end, or finds it done; answers as soon as some have ended, at least one.
   * Ask again for the others. Beats with what they wait for.
   */
  operateMembers(input: OperateMembersInput): Promise<readonly MemberEnd[]>;
}

/** An operator's decision about a run; `taskId` names the step or machine that waits. */
export interface PlanDecision extends DecisionInput {
  readonly job: OperationId;
  readonly taskId?: string;
  /** With `retry` of a step: what it does instead. */
  readonly action?: StepAction;
}
