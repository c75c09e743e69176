/**
 * Everything that the sandbox driver knows about the SDK's insides. Its version is pinned; look here first when it
 * changes.
 */
import { readFile } from 'node:fs/promises';
import { Script } from 'node:vm';
import { defaultFailureConverter, defaultPayloadConverter, TypedSearchAttributes } from '@temporalio/common';
import type { Workflow } from '@temporalio/worker/lib/workflow/interface.js';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import { globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import type { WorkflowInfo } from '@temporalio/workflow';
import { toApplicationFailure } from '../../../activities/failure.ts';
import type { DrError } from '../../../domain/errors.ts';
import { workflowBundle } from '../../../workers/bundle.ts';

export type { Workflow, WorkflowInfo };
export type Activation = Parameters<Workflow['activate']>[0];
export type Completion = Awaited<ReturnType<Workflow['activate']>>;
export type Job = NonNullable<Activation['jobs']>[number];
export type Command = NonNullable<NonNullable<Completion['successful']>['commands']>[number];
export type Resolution = NonNullable<NonNullable<Job['resolveActivity']>['result']>;
export type Failure = NonNullable<NonNullable<Completion['failed']>['failure']>;
export type Payload = NonNullable<NonNullable<Job['signalWorkflow']>['input']>[number];

/** Of children: Temporal's number for it. */
export const REQUEST_CANCEL = 3;
export const CANCELLED: Failure = { message: 'cancelled', canceledFailureInfo: {} };
export const TERMINATED: Failure = { message: 'terminated', terminatedFailureInfo: {} };
const NAMESPACE = 'default';
/** A limit would start a thread for every step into the sandbox, which costs more than the step. */
const NO_TIMEOUT = undefined as unknown as number;

let creator: Promise<ReusableVMWorkflowCreator> | undefined;

/** Made by hand instead of by its `create`, which records a stack for every promise. */
async function sandbox(): Promise<ReusableVMWorkflowCreator> {
  const filename = await workflowBundle();
  const code = await readFile(filename, 'utf8');
  const sourceMap = { version: 3, sources: [], names: [], mappings: '', file: filename };
  const bundle = { code, filename, sourceMap };
  return new ReusableVMWorkflowCreator(new Script(code, { filename }), bundle, NO_TIMEOUT, new Set());
}

/**
 * A replay by the SDK leaves a hook in the process that records a stack for every promise, whoever makes it. Call it
 * after replays: the next test file in the process would run at a quarter of its speed.
 */
export function stopRecordingStacks(): void {
  globalHandlers.uninstall();
}

export async function createWorkflow(info: WorkflowInfo): Promise<Workflow> {
  creator ??= sandbox();
  const now = info.startTime.getTime();
  const options = { info, randomnessSeed: [1, 2, 3, 4], now, showStackTraceSources: false };
  return (await creator).createWorkflow(options);
}

/** What a DrError becomes on its way out of an activity. */
export function applicationFailure(error: DrError): Failure {
  return defaultFailureConverter.errorToFailure(toApplicationFailure(error), defaultPayloadConverter);
}

export function activityFailure({
  name,
  activity,
}: {
  readonly name: string;
  readonly activity: string;
}): Failure {
  return {
    message: 'Activity task failed',
    activityFailureInfo: { activityType: { name }, activityId: activity },
  };
}

export function childFailure(
  { workflowId, workflowType, runId }: WorkflowInfo,
  cause: Failure | null | undefined,
): Failure {
  return {
    message: 'Child Workflow execution failed',
    childWorkflowExecutionFailureInfo: {
      workflowExecution: { workflowId, runId },
      workflowType: { name: workflowType },
      namespace: NAMESPACE,
    },
    ...(cause == null ? {} : { cause }),
  };
}

export function commandsOf(completion: Completion): Command[] {
  if (completion.successful != null) return [...(completion.successful.commands ?? [])];
  throw new Error(`a workflow task failed: ${JSON.stringify(completion.failed?.failure)}`);
}

export function infoOf(of: {
  readonly type: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly nowMs: number;
  readonly parent: WorkflowInfo | undefined;
}): WorkflowInfo {
  const { type, workflowId, runId, nowMs, parent } = of;
  return {
    workflowId,
    runId,
    workflowType: type,
    searchAttributes: {},
    typedSearchAttributes: new TypedSearchAttributes(),
    ...(parent === undefined
      ? {}
      : { parent: { workflowId: parent.workflowId, runId: parent.runId, namespace: NAMESPACE } }),
    taskQueue: 'control',
    namespace: NAMESPACE,
    firstExecutionRunId: runId,
    originalExecutionRunId: runId,
    startTime: new Date(nowMs),
    runStartTime: new Date(nowMs),
    taskTimeoutMs: 10_000,
    attempt: 1,
    historyLength: 0,
    historySize: 0,
    continueAsNewSuggested: false,
    targetWorkerDeploymentVersionChanged: false,
    unsafe: {
      now: () => Date.now(),
      isReplaying: false,
      isReplayingHistoryEvents: false,
      random: { random: () => 0, uuid4: () => '', fillRandom: (bytes) => bytes },
    },
  };
}

export function toPayload(value: unknown): Payload {
  return defaultPayloadConverter.toPayload(value === undefined ? null : value);
}

export function fromPayload(payload: Payload | null | undefined): unknown {
  return payload == null ? undefined : defaultPayloadConverter.fromPayload(payload);
}
