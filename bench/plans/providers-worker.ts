/**
 * A process of its own that answers at once for every vCenter, disk and Azure of many machines: the model of the world
 * that the workflow tests use, one for each machine, as ordinary activities. Address of Temporal and path of the floor's
 * bundle are its arguments; it ends on SIGTERM.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { toApplicationFailure } from '../../activities/failure.ts';
import { asId } from '../../domain/ids.ts';
import { handlersOf } from '../../test/workflows/support/world/handlers.ts';
import { isSession, World, type Call } from '../../test/workflows/support/world/world.ts';
import type { BootLogActivities, KeepBootLogsInput } from '../../workflows/contracts/evidence.ts';
import { taskQueues } from '../../workflows/contracts/task-queues.ts';
import { FLOOR_QUEUES, REGION, SITE } from './names.ts';

const SLOTS = 200;
/** Replication rests meanwhile: each session asks for its next cycle after this. */
const CYCLE_SECONDS = 3_600;
const QUEUES = [
  taskQueues.site(SITE),
  taskQueues.urgentSite(SITE),
  taskQueues.move(SITE),
  taskQueues.apply(REGION),
  taskQueues.azure(REGION),
  taskQueues.urgentAzure(REGION),
  taskQueues.stepsAzure(REGION),
];

// Resting sessions are no errors.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});
const [address = '', floorBundle = ''] = process.argv.slice(2);
const connection = await NativeConnection.connect({ address });
const activities = estateActivities();
const worker = (options: Partial<WorkerOptions> & { readonly taskQueue: string }) =>
  Worker.create({ connection, maxConcurrentActivityTaskExecutions: SLOTS, ...options });
const workers = await Promise.all([
  ...QUEUES.map((taskQueue) => worker({ taskQueue, activities })),
  worker({
    taskQueue: FLOOR_QUEUES.here,
    workflowBundle: { codePath: floorBundle },
    activities: { nothing: async () => undefined },
  }),
  worker({ taskQueue: FLOOR_QUEUES.elsewhere, activities: { nothing: async () => undefined } }),
]);
const running = workers.map((each) => each.run());
process.once('SIGTERM', () => {
  for (const each of workers) each.shutdown();
});
process.stdout.write('ready\n');
await Promise.all(running);
await connection.close();

type BootLogs = Awaited<ReturnType<BootLogActivities['keepBootLogs']>>;
type Handler = (input: unknown, call: Call) => unknown;

function estateActivities(): Record<string, (input: unknown) => Promise<unknown>> {
  const worlds = estate();
  const names = Object.keys(handlersOf(new World(asId('any'))));
  return {
    ...Object.fromEntries(names.map((name) => [name, (input: unknown) => worlds(name, input)])),
    lookAtRegion: async () => ({ location: REGION, sizes: [], usages: [], subnets: [] }),
    keepBootLogs,
  };
}

async function keepBootLogs(input: unknown): Promise<BootLogs> {
  const { machines } = input as KeepBootLogsInput;
  const at = new Date().toISOString();
  return Object.fromEntries(machines.map(({ itemId }) => [itemId, { at, problem: 'nothing boots here' }]));
}

/** A run and an entity of one machine ask the same world. */
function estate() {
  const worlds = new Map<string, Record<string, Handler>>();
  return async (name: string, input: unknown): Promise<unknown> => {
    const { workflowExecution, activityId, attempt } = Context.current().info;
    const workflowId = workflowExecution?.workflowId ?? '';
    const [, itemId = ''] = workflowId.split('/');
    const handlers = worlds.get(itemId) ?? (handlersOf(new World(asId(itemId))) as Record<string, Handler>);
    worlds.set(itemId, handlers);
    if (isSession(name)) throw restingSession();
    try {
      return handlers[name]?.(input, { workflowId, activity: `${workflowId} ${activityId}`, attempt });
    } catch (error) {
      throw toApplicationFailure(error);
    }
  };
}

/** As a session of the product ends every cycle. */
function restingSession(): ApplicationFailure {
  return ApplicationFailure.create({ message: 'next cycle', nextRetryDelay: CYCLE_SECONDS * 1_000 });
}
