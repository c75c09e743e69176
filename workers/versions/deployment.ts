/**
 * The worker deployment as Temporal keeps it: which build is current, and which runs are open on which build.
 * New runs, and runs that were never pinned, go to the current build.
 */
import { isGrpcServiceError, type Client } from '@temporalio/client';
import { defineSearchAttributeKey, WorkflowNotFoundError } from '@temporalio/common';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import { upgradeSignal, workflowTypes } from '../../workflows/contracts/messages.ts';

/** NOT_FOUND, https://grpc.io/docs/guides/status-codes/ */
const GRPC_NOT_FOUND = new Set<number>([5]);
const PINNED_TO = defineSearchAttributeKey('TemporalWorkerDeploymentVersion', 'KEYWORD');
/** ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS of Temporal's API. */
const ROUTING_IN_PROGRESS = new Set<unknown>([1]);
const isOpen = `ExecutionStatus = 'Running'`;
/** A run that began since the current build is it may not show yet where it runs: it is looked at after this. */
const SETTLED_MS = 600_000;
/** Bound of a single call. */
const CALL_MS = 10_000;

export interface CurrentBuild {
  readonly buildId: string;
  readonly sinceMs: number;
  /** False while a task queue may still follow the build before it. */
  readonly isEverywhere: boolean;
}

/** A run of an entity. */
export interface Entity {
  readonly workflowId: string;
  readonly runId: string;
  /** Absent: not pinned, as before there were versions. */
  readonly buildId?: string;
}

export interface Deployment {
  readonly name: string;
  current(): Promise<CurrentBuild | undefined>;
  /** False while Temporal has not seen a worker of the build. @throws while it misses one on a task queue of the current build. */
  makeCurrent(buildId: string): Promise<boolean>;
  /** As Temporal's visibility counts them: a few seconds late. */
  openRuns(buildId: string): Promise<number>;
  /** Running entities that are pinned to another build than the current one, or to none. */
  entitiesElsewhere(current: CurrentBuild): AsyncIterable<Entity>;
  /** Asks a run to continue as new on the current build; one that has ended meanwhile may have done so. */
  askToUpgrade(entity: Entity): Promise<void>;
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
    async current() {
      const request = { namespace, deploymentName: name };
      const answer = await known(() => workflowService.describeWorkerDeployment(request));
      const { routingConfig: routing, routingConfigUpdateState: state } = answer?.workerDeploymentInfo ?? {};
      const buildId = routing?.currentDeploymentVersion?.buildId;
      if (typeof buildId !== 'string') return undefined;
      const sinceMs = optionalTsToMs(routing?.currentVersionChangedTime) ?? 0;
      return { buildId, sinceMs, isEverywhere: !ROUTING_IN_PROGRESS.has(state) };
    },
    async makeCurrent(buildId) {
      const request = { namespace, deploymentName: name, buildId };
      return (await known(() => workflowService.setWorkerDeploymentCurrentVersion(request))) !== undefined;
    },
    async openRuns(buildId) {
      const query = `${isOpen} AND ${PINNED_TO.name} = ${pinnedTo(buildId)}`;
      const { count } = await bounded(() => client.workflow.count(query));
      return count;
    },
    async *entitiesElsewhere({ buildId, sinceMs }) {
      const startedBefore = new Date(Math.max(sinceMs, Date.now() - SETTLED_MS)).toISOString();
      const isElsewhere = `(${PINNED_TO.name} IS NULL OR ${PINNED_TO.name} != ${pinnedTo(buildId)})`;
      const query = `${isOpen} AND WorkflowType = '${workflowTypes.protectedItem}' AND StartTime < '${startedBefore}' AND ${isElsewhere}`;
      for await (const { workflowId, runId, typedSearchAttributes } of client.workflow.list({ query })) {
        const pinned = typedSearchAttributes.get(PINNED_TO)?.slice(name.length + 1);
        yield { workflowId, runId, ...(pinned === undefined ? {} : { buildId: pinned }) };
      }
    },
    async askToUpgrade({ workflowId, runId }) {
      try {
        await bounded(() => client.workflow.getHandle(workflowId, runId).signal(upgradeSignal));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
      }
    },
  };
}
