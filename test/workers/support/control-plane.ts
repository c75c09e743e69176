/** A real Temporal server, a site with scripted activities that nobody upgrades, and any number of configuration servers' workers. */
import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, WithStartWorkflowOperation } from '@temporalio/client';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { pino } from 'pino';
import type { Config } from '../../../config/load.ts';
import { asId, type ProtectedItemId } from '../../../domain/ids.ts';
import { freePorts } from '../../../lab/processes/ports.ts';
import { startTemporal } from '../../../lab/processes/temporal.ts';
import { repositoryRoot } from '../../../lab/tools/cache.ts';
import { temporalBinary } from '../../../lab/tools/temporal.ts';
import { BUNDLE_SOURCES, workflowBuild, type WorkflowBuild } from '../../../workers/bundle.ts';
import { runWorkers } from '../../../workers/run-workers.ts';
import { connectWorker } from '../../../workers/temporal.ts';
import { openBuildStore, type BuildStore } from '../../../workers/versions/build-store.ts';
import { runControlWorkers, type Pace } from '../../../workers/versions/control-workers.ts';
import { createDeployment, deploymentName } from '../../../workers/versions/deployment.ts';
import { workflowIds } from '../../../workflows/contracts/ids.ts';
import { protectUpdate, workflowTypes } from '../../../workflows/contracts/messages.ts';
import { taskQueues } from '../../../workflows/contracts/task-queues.ts';
import type { ProtectInput } from '../../../workflows/contracts/types.ts';
import { ScriptedSite } from './scripted-site.ts';

const SITE = 'test';
const REGION = 'westeurope';
const PACE: Pace = { lookMs: 500, quietLooks: 3, askMs: 1 };
const SLOTS = 32;

export interface ControlServer {
  readonly store: BuildStore;
  stop(): Promise<void>;
}

export type ControlPlane = Awaited<ReturnType<typeof startControlPlane>>;

export async function startControlPlane() {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
    shutdownSignals: [],
  });
  const folder = await mkdtemp(join(tmpdir(), 'switchback-versions-'));
  const [port = 0] = await freePorts(1);
  const options = {
    binary: await temporalBinary(),
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port,
  };
  let temporal = await startTemporal(options);
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection });
  const deployment = createDeployment(client, deploymentName('default'));
  const site = new ScriptedSite();
  const ends: (() => Promise<void>)[] = [];

  const servingSite = await startWorkers(temporal.address, [
    { taskQueue: taskQueues.site(SITE), activities: site.site() },
    { taskQueue: taskQueues.move(SITE), activities: site.site() },
    { taskQueue: taskQueues.apply(REGION), activities: site.site() },
    { taskQueue: taskQueues.azure(REGION), activities: site.site() },
  ]);

  const handle = (item: ProtectedItemId, runId?: string) =>
    client.workflow.getHandle(workflowIds.protectedItem(item), runId);
  const history = (item: ProtectedItemId, runId: string) => handle(item, runId).fetchHistory();

  return {
    deployment,
    site,
    folder,

    /** The workers of a configuration server whose data lie in `dataFolder`. */
    async startServer(own: WorkflowBuild, dataFolder: string): Promise<ControlServer> {
      const store = await openBuildStore(join(folder, dataFolder));
      const stopping = new AbortController();
      const log = pino({ level: 'silent' });
      const config = { temporal: { namespace: 'default', address: temporal.address } } as Config;
      const serveUntilStopped = async () => {
        const native = await connectWorker(config, log, stopping.signal);
        const serve = (build: WorkflowBuild, signal: AbortSignal) => {
          const workflows = { deploymentName: deployment.name, build };
          const activities = site.catalogue();
          const queue = { taskQueue: taskQueues.control, slots: SLOTS, activities, workflows };
          return runWorkers(native, [queue], { config, log, signal });
        };
        await runControlWorkers({ own, store, deployment, serve, log, signal: stopping.signal, pace: PACE });
        await native.close();
      };
      const failed = serveUntilStopped().then(
        () => undefined,
        (error: unknown) => error,
      );
      let ending: Promise<void> | undefined;
      const stop = () =>
        (ending ??= (async () => {
          stopping.abort();
          const error = await failed;
          if (error !== undefined) throw error;
        })());
      ends.push(stop);
      return { store, stop };
    },

    /** A configuration server of before versions: its worker is not versioned. */
    async startUnversioned(build: WorkflowBuild) {
      const workers = await startWorkers(temporal.address, [
        {
          taskQueue: taskQueues.control,
          activities: site.catalogue(),
          workflowBundle: { codePath: build.file },
        },
      ]);
      ends.push(workers.stop);
      return workers;
    },

    async protect(): Promise<ProtectedItemId> {
      const input = protectInput();
      await client.workflow.executeUpdateWithStart(protectUpdate, {
        args: [input],
        updateId: input.operationId,
        startWorkflowOperation: new WithStartWorkflowOperation(workflowTypes.protectedItem, {
          workflowId: workflowIds.protectedItem(input.itemId),
          taskQueue: taskQueues.control,
          args: [{}],
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      });
      return input.itemId;
    },

    /** The newest run of an item, and the build that it is pinned to. */
    async run(item: ProtectedItemId) {
      const { runId, raw } = await handle(item).describe();
      const buildId = raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId ?? undefined;
      return { runId, buildId };
    },

    history,

    /** Events of each run of an item, the newest first. */
    async eventCounts(item: ProtectedItemId) {
      const counts: number[] = [];
      let { runId } = await handle(item).describe();
      while (runId !== '') {
        const { events } = await history(item, runId);
        counts.push(events?.length ?? 0);
        runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? '';
      }
      return counts;
    },

    /** Reasons of workflow tasks that failed, a step that the history does not have among them; a signal that came meanwhile is none. */
    async failedTasks(item: ProtectedItemId, runId: string) {
      const { events } = await history(item, runId);
      const reasons = (events ?? []).map(
        (event) => event.workflowTaskFailedEventAttributes?.failure?.message,
      );
      return reasons.filter((reason) => typeof reason === 'string' && reason !== 'UnhandledCommand');
    },

    /** Builds whose workers have decided anything in a run. */
    async buildsOf(item: ProtectedItemId, runId: string) {
      const { events } = await history(item, runId);
      const builds = (events ?? []).map(
        ({ workflowTaskCompletedEventAttributes: task }) => task?.deploymentVersion?.buildId,
      );
      return [...new Set(builds.filter((buildId) => typeof buildId === 'string'))];
    },

    /** Whether a worker of a build asks for workflow tasks. */
    async polls(buildId: string): Promise<boolean> {
      const { pollers } = await connection.workflowService.describeTaskQueue({
        namespace: 'default',
        taskQueue: { name: taskQueues.control },
      });
      return (pollers ?? []).some(({ deploymentOptions }) => deploymentOptions?.buildId === buildId);
    },

    stopTemporal: () => temporal.stop(),
    async startTemporal() {
      temporal = await startTemporal(options);
    },

    async stop() {
      site.goOn();
      await Promise.all(ends.map((end) => end()));
      await servingSite.stop();
      await connection.close();
      await temporal.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Serving = Pick<Parameters<typeof Worker.create>[0], 'taskQueue' | 'activities' | 'workflowBundle'>;

async function startWorkers(address: string, queues: readonly Serving[]) {
  const native = await NativeConnection.connect({ address });
  const workers = await Promise.all(
    queues.map((queue) =>
      Worker.create({ ...queue, connection: native, maxHeartbeatThrottleInterval: '250ms' }),
    ),
  );
  const running = workers.map((worker) => worker.run());
  let ending: Promise<void> | undefined;
  return {
    stop: () =>
      (ending ??= (async () => {
        for (const worker of workers) worker.shutdown();
        await Promise.all(running);
        await native.close();
      })()),
  };
}

/** A build of a copied tree whose entity has one more step: its histories do not fit the present build. */
export async function otherBuild(folder: string): Promise<WorkflowBuild> {
  const root = join(folder, 'other-tree');
  await mkdir(root);
  for (const source of [...BUNDLE_SOURCES, 'package.json', 'tsconfig.json']) {
    await cp(join(repositoryRoot, source), join(root, source), { recursive: true });
  }
  await symlink(join(repositoryRoot, 'node_modules'), join(root, 'node_modules'));
  const entity = join(root, 'workflows', 'protected-item.ts');
  const text = await readFile(entity, 'utf8');
  const anchor = '  // ------------------------------------------------------------ main loop\n';
  const changed = text.replace(anchor, `${anchor}  await sleep('10 milliseconds');\n`);
  if (changed === text) throw new Error('the entity has no main loop to change');
  await writeFile(entity, `import { sleep } from '@temporalio/workflow';\n${changed}`);
  return workflowBuild(root);
}

function protectInput(): ProtectInput {
  return {
    operationId: asId(randomUUID()),
    requestedBy: { principal: 'test', requestId: 'r1' },
    itemId: asId(randomUUID()),
    machineName: 'web-01',
    vcenterId: asId('lab'),
    site: SITE,
    policy: { id: asId('p'), intervalSeconds: 5, retentionHours: 24, rpoThresholdSeconds: 60 },
    target: { location: REGION, vmSize: 'Standard_D2s_v5', subnetId: '/subnets/production' },
    excludedDisks: [],
  };
}
