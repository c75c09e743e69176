/** A real Temporal server for workflow tests, with workers that run the real bundle and scripted activities. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { startTemporal } from '../../../lab/processes/temporal.ts';
import { freePorts } from '../../../lab/processes/ports.ts';
import { temporalBinary } from '../../../lab/tools/temporal.ts';
import { workflowBundle } from '../../../workers/bundle.ts';
import { taskQueues } from '../../../workflows/contracts/task-queues.ts';
import { REGION, SITE } from './world/samples.ts';

const QUEUES = [
  taskQueues.control,
  taskQueues.site(SITE),
  taskQueues.urgentSite(SITE),
  taskQueues.move(SITE),
  taskQueues.apply(REGION),
  taskQueues.azure(REGION),
  taskQueues.urgentAzure(REGION),
  taskQueues.reverse(REGION),
  taskQueues.land(SITE),
];

export interface WorkflowServer {
  readonly client: Client;
  readonly bundlePath: string;
  /** Polls every queue with these activities until `stop`. */
  serve(activities: object): Promise<{ stop(): Promise<void> }>;
  stop(): Promise<void>;
}

export async function startWorkflowServer(): Promise<WorkflowServer> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const folder = await mkdtemp(join(tmpdir(), 'switchback-workflows-'));
  const [port] = await freePorts(1);
  const temporal = await startTemporal({
    binary: await temporalBinary(),
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port: port ?? 0,
  });
  const bundlePath = await workflowBundle();
  const connection = await Connection.connect({ address: temporal.address });
  const native = await NativeConnection.connect({ address: temporal.address });
  return {
    client: new Client({ connection }),
    bundlePath,
    async serve(activities) {
      const workers = await Promise.all(
        QUEUES.map((taskQueue) =>
          Worker.create({
            connection: native,
            taskQueue,
            activities,
            maxHeartbeatThrottleInterval: '1 second',
            ...(taskQueue === taskQueues.control ? { workflowBundle: { codePath: bundlePath } } : {}),
          }),
        ),
      );
      const running = workers.map((worker) => worker.run());
      return {
        async stop() {
          for (const worker of workers) worker.shutdown();
          await Promise.all(running);
        },
      };
    },
    async stop() {
      await connection.close();
      await native.close();
      await temporal.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
