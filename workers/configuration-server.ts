/** Configuration server: the HTTPS API, the catalogue and the worker that runs the workflows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createCatalogueActivities } from '../activities/catalog/create-catalogue-activities.ts';
import { createPlanActivities } from '../activities/plan/create-plan-activities.ts';
import { allNews } from '../activities/plan/news.ts';
import { supervised } from '../activities/supervise.ts';
import type { Config } from '../config/load.ts';
import { pageListedPoints } from '../dataplane/scrub/listed-points.ts';
import { createVCenterDirectory } from '../providers/vault/vcenter-directory.ts';
import type { Catalogue } from '../server/catalogue/catalogue.ts';
import { openCatalogue } from '../server/catalogue/open.ts';
import { createServer } from '../server/create-server.ts';
import type { ServerDeps } from '../server/deps.ts';
import { Notifier } from '../server/notifications/notifier.ts';
import { pinDrill } from '../server/pin-drill.ts';
import { createTemporalRunbooks } from '../server/temporal-runbooks.ts';
import { ensureServerTls, reachableHosts } from '../server/tls.ts';
import { openTokens } from '../server/tokens.ts';
import { runRounds } from '../server/watch/rounds.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import { workflowBuild } from './bundle.ts';
import { evidenceParts, type EvidenceParts } from './evidence.ts';
import { notificationReceivers } from './notifications.ts';
import { payloadCodec } from './payload-codec.ts';
import { stepActivities, vaultKey, vaultStorage } from './ports.ts';
import { runRoleProcess, type RoleContext } from './role.ts';
import { runWorkers } from './run-workers.ts';
import { connectWorker, temporalTls } from './temporal.ts';
import { openBuildStore } from './versions/build-store.ts';
import { runControlWorkers } from './versions/control-workers.ts';
import { createDeployment, deploymentName } from './versions/deployment.ts';

/** Catalogue writes at the same time. */
const CONTROL_SLOTS = 32;
/** Each holds machines that a run of a plan moves together, and waits for them. */
const PLAN_SLOTS = 1_000;
/** Steps of recovery plans that run here. */
const STEP_SLOTS = 256;

/** Serves as soon as the catalogue is open; while Temporal is down requests say so and the worker waits for it. */
export async function configurationServer({ config, log, signal }: RoleContext): Promise<void> {
  const catalogue = await openCatalogue({
    folder: join(config.dataDir, 'catalogue'),
    ...(config.catalogue.url === undefined ? {} : { url: config.catalogue.url }),
  });
  try {
    const client = await temporalClient(config);
    const evidence = await evidenceParts(config, log, { catalogue, version: productVersion() });
    const { server, deps } = await openServer(config, log, { catalogue, client, evidence });
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    let rounds: Promise<void> | undefined;
    try {
      await server.listen({ host: config.api.host, port: config.api.port });
      log.info({ address: server.listeningOrigin }, 'serving');
      rounds = runRounds(deps, until);
      const connection = await connectWorker(config, log, signal);
      const deployment = createDeployment(client, deploymentName(config.temporal.namespace));
      const news = allNews();
      const projecting = createCatalogueActivities(catalogue, {
        job: (job) => news.jobs.tell(job.id, job),
        item: (view) => news.items.tell(view.itemId, view),
      });
      // Beats: a process that is killed meanwhile is noticed within seconds, not when the time for writing is up.
      const sealing: EvidenceParts['activities'] = {
        writeEvidence: (input) => supervised(() => evidence.activities.writeEvidence(input)),
      };
      const activities = { ...projecting, ...sealing };
      const runbooks = createTemporalRunbooks({ client, address: config.temporal.address });
      const plans = {
        taskQueue: taskQueues.plans,
        slots: PLAN_SLOTS,
        activities: createPlanActivities({ runbooks, news, pinPlan: (name) => pinDrill(deps, name) }),
      };
      const steps = {
        taskQueue: taskQueues.steps,
        slots: STEP_SLOTS,
        activities: await stepActivities(config),
      };
      const driving = runWorkers(connection, [plans, steps], { config, log, signal: until });
      const controlling = runControlWorkers({
        own: await workflowBuild(),
        store: await openBuildStore(join(config.dataDir, 'workflow-bundles')),
        deployment,
        serve(build, ends) {
          const workflows = { deploymentName: deployment.name, build };
          const control = { taskQueue: taskQueues.control, slots: CONTROL_SLOTS, activities, workflows };
          return runWorkers(connection, [control], { config, log, signal: ends });
        },
        log,
        signal: until,
      });
      try {
        await Promise.all([driving, controlling]);
      } finally {
        stop.abort();
        await Promise.allSettled([driving, controlling]);
      }
      await connection.close();
    } finally {
      stop.abort();
      await rounds;
      await server.close();
      await client.connection.close();
    }
  } finally {
    await catalogue.close();
  }
}

async function temporalClient(config: Config): Promise<Client & { connection: Connection }> {
  const tls = await temporalTls(config);
  const connection = Connection.lazy({
    address: config.temporal.address,
    ...(tls === undefined ? {} : { tls }),
  });
  const { namespace } = config.temporal;
  const dataConverter = { payloadCodecs: [payloadCodec] };
  return Object.assign(new Client({ connection, namespace, dataConverter }), { connection });
}

interface ServerParts {
  readonly catalogue: Catalogue;
  readonly client: Client;
  readonly evidence: EvidenceParts;
}

async function openServer(
  config: Config,
  log: Logger,
  { catalogue, client, evidence }: ServerParts,
): Promise<{ readonly server: FastifyInstance; readonly deps: ServerDeps }> {
  const storage = await vaultStorage(config);
  const deps: ServerDeps = {
    site: config.site,
    location: config.azure.location,
    version: productVersion(),
    intervalSecondsMin: config.replication.intervalSecondsMin,
    tls: await ensureServerTls({
      folder: join(config.dataDir, 'tls'),
      hosts: reachableHosts(config.api.host, config.api.publicUrl),
    }),
    catalogue,
    runbooks: createTemporalRunbooks({ client, address: config.temporal.address }),
    points: { page: (item, page) => pageListedPoints(storage, item, page) },
    evidence: evidence.served,
    vcenters: createVCenterDirectory(storage, await vaultKey(config)),
    tokens: await openTokens({ catalogue, dataDir: config.dataDir }),
    notifier: new Notifier({
      outbox: catalogue.outbox,
      receivers: await notificationReceivers(config),
      log,
    }),
    log,
  };
  return { server: await createServer(deps), deps };
}

function productVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

if (import.meta.main) await runRoleProcess('configuration-server', configurationServer);
