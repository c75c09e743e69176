/** Polls a role's task queues until it is told to stop. */
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Config } from '../config/load.ts';
import type { WorkflowBuild } from './bundle.ts';
import { payloadCodec } from './payload-codec.ts';
import { activityFailures } from './interceptors/activity-failures.ts';

/** A worker that is told to stop gives running activities this long to reach a place they can resume from. */
const SHUTDOWN_GRACE = '15 seconds';

export interface Queue {
  readonly taskQueue: string;
  /** Activities at the same time; the bulkhead between classes of work. */
  readonly slots: number;
  readonly activities: object;
  /** Workflows to run, pinned to their build. */
  readonly workflows?: { readonly deploymentName: string; readonly build: WorkflowBuild };
}

/** Resolves when all have stopped after `signal`; rejects when one fails for good. */
export async function runWorkers(
  connection: NativeConnection,
  queues: readonly Queue[],
  options: { readonly config: Config; readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const { config, log, signal } = options;
  const workers = await Promise.all(
    queues.map((queue) => Worker.create(workerOptions(connection, queue, config, log))),
  );
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  signal.addEventListener('abort', stop, { once: true });
  const running = workers.map((worker) => worker.run());
  if (signal.aborted) stop();
  log.info({ taskQueues: queues.map((queue) => queue.taskQueue) }, 'polling');
  try {
    await Promise.all(running);
  } finally {
    stop();
    await Promise.allSettled(running);
  }
}

function workerOptions(
  connection: NativeConnection,
  queue: Queue,
  config: Config,
  log: Logger,
): WorkerOptions {
  return {
    connection,
    namespace: config.temporal.namespace,
    dataConverter: { payloadCodecs: [payloadCodec] },
    taskQueue: queue.taskQueue,
    activities: queue.activities,
    maxConcurrentActivityTaskExecutions: queue.slots,
    shutdownGraceTime: SHUTDOWN_GRACE,
    maxHeartbeatThrottleInterval: '3 seconds',
    defaultHeartbeatThrottleInterval: '3 seconds',
    interceptors: { activity: [activityFailures(log)] },
    ...(queue.workflows === undefined ? {} : workflowOptions(queue.workflows)),
  };
}

/** A thousand machines and the runs that move them, with room: a run that is not held is replayed from its first event. */
const CACHED_RUNS = 4_000;

/**
 * Workflow tasks that a worker has fetched. One thread plays them, and when all of them need their histories played
 * first the last one must still be answered within ten seconds: else Temporal gives it out again, and nothing ends.
 */
const WORKFLOW_TASKS = 12;

/** A run stays with the build that it began on: another one may have other steps. */
function workflowOptions({ deploymentName, build }: NonNullable<Queue['workflows']>) {
  const version = { deploymentName, buildId: build.buildId };
  return {
    workflowBundle: { codePath: build.file },
    maxCachedWorkflows: CACHED_RUNS,
    maxConcurrentWorkflowTaskExecutions: WORKFLOW_TASKS,
    workerDeploymentOptions: {
      version,
      useWorkerVersioning: true,
      defaultVersioningBehavior: 'PINNED',
    },
  } satisfies Partial<WorkerOptions>;
}
