/**
 * The worker deployment as Temporal keeps it: which build is current, and which runs are open on which build.
 * New runs, and runs that were never pinned, go to the current build.
 */
import { isGrpcServiceError, type Client } from '@temporalio/client';
import { defineSearchAttributeKey, WorkflowNotFoundError } from '@temporalio/common';
import { upgradeSignal, workflowTypes } from '../../workflows/contracts/messages.ts';

/** NOT_FOUND, https://grpc.io/docs/guides/status-codes/ */
const GRPC_NOT_FOUND = new Set<number>([5]);
const PINNED_TO = defineSearchAttributeKey('TemporalWorkerDeploymentVersion', 'KEYWORD');
/** Bound of a single call. */
const CALL_MS = 10_000;

export interface Entity {
  readonly workflowId: string;
  /** Absent: not pinned, as before there were versions. */
  readonly buildId?: string;
}

export interface Deployment {
  readonly name: string;
  currentBuild(): Promise<string | undefined>;
  /** False while Temporal has not seen a worker of the build. @throws while it misses one on a task queue of the current build. */
  makeCurrent(buildId: string): Promise<boolean>;
  /** As Temporal's visibility counts them: a few seconds late. */
  openRuns(buildId: string): Promise<number>;
  /** Workflow ids of running entities that are pinned to another build, or to none. */
  entitiesElsewhere(buildId: string): AsyncIterable<Entity>;
  /** Asks an entity to continue as new on the current build; one that has ended needs no answer. */
  askToUpgrade(workflowId: string): Promise<void>;
}

/** A deployment lives in a namespace, as the task queue of the workflows does. Its name may not hold dots or colons. */
export function deploymentName(namespace: string): string {
  return `switchback-${namespace.replaceAll(/[^A-Za-z0-9_-]/g, '-')}`;
}

export function createDeployment(client: Client, name: string): Deployment {
  const { namespace } = client.options;
  const { workflowService } = client.connection;
  const bounded = <T>(call: () => Promise<T>) => client.withDeadline(Date.now() + CALL_MS, call);
  const known = <T>(call: () => Promise<T>) =>
    bounded(call).catch((error: unknown) => {
      if (isGrpcServiceError(error) && GRPC_NOT_FOUND.has(error.code)) return undefined;
      throw error;
    });
  const pinnedTo = (buildId: string) => `'${name}:${buildId}'`;

  return {
    name,
    async currentBuild() {
      const request = { namespace, deploymentName: name };
      const answer = await known(() => workflowService.describeWorkerDeployment(request));
      return answer?.workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId ?? undefined;
    },
    async makeCurrent(buildId) {
      const request = { namespace, deploymentName: name, buildId };
      return (await known(() => workflowService.setWorkerDeploymentCurrentVersion(request))) !== undefined;
    },
    async openRuns(buildId) {
      const query = `TemporalWorkerDeploymentVersion = ${pinnedTo(buildId)} AND ExecutionStatus = 'Running'`;
      const { count } = await bounded(() => client.workflow.count(query));
      return count;
    },
    async *entitiesElsewhere(buildId) {
      const query = `WorkflowType = '${workflowTypes.protectedItem}' AND ExecutionStatus = 'Running' AND (TemporalWorkerDeploymentVersion IS NULL OR TemporalWorkerDeploymentVersion != ${pinnedTo(buildId)})`;
      for await (const { workflowId, typedSearchAttributes } of client.workflow.list({ query })) {
        const pinned = typedSearchAttributes.get(PINNED_TO)?.slice(name.length + 1);
        yield { workflowId, ...(pinned === undefined ? {} : { buildId: pinned }) };
      }
    },
    async askToUpgrade(workflowId) {
      try {
        await bounded(() => client.workflow.getHandle(workflowId).signal(upgradeSignal));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}
