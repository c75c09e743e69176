/** A real configuration server on HTTPS and an embedded catalogue; only the runbooks behind it are played. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { createClient, type Client } from '../../api/client.ts';
import { DrError } from '../../domain/errors.ts';
import type { OperationId, ProtectedItemId, VCenterId } from '../../domain/ids.ts';
import type { Job, JobError } from '../../domain/job.ts';
import type { RegionLook } from '../../domain/plan/clashes.ts';
import {
  Secret,
  type MachinePrice,
  type NotificationReceiver,
  type PeerCertificate,
  type VCenterConnection,
} from '../../domain/ports.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';
import type { PriceMachinesInput, RegionLookInput } from '../../workflows/contracts/plan-look.ts';
import type { PlanDecision, PlanRunInput } from '../../workflows/contracts/plan.ts';
import type {
  DecisionInput,
  AddVCenterInput,
  ItemCheckInput,
  ItemCheckResult,
  ItemView,
  OperationRequest,
} from '../../workflows/contracts/types.ts';
import { openCatalogue } from '../../server/catalogue/open.ts';
import type { Catalogue } from '../../server/catalogue/catalogue.ts';
import { createServer } from '../../server/create-server.ts';
import { Notifier } from '../../server/notifications/notifier.ts';
import type { ActivityProgress, Runbooks } from '../../server/runbooks.ts';
import type { DrillSchedule, DrillScheduleView, ScheduleAction } from '../../server/temporal-schedules.ts';
import { ensureServerTls } from '../../server/tls.ts';
import { openTokens } from '../../server/tokens.ts';

export const certificate: PeerCertificate = {
  sha256: Array.from({ length: 32 }, () => 'AB').join(':'),
  subject: 'CN=vcenter.example.com',
  notAfter: '2030-01-01T00:00:00.000Z',
  pem: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
};

/** Remembers what was asked of it; a test says what it answers. */
export class PlayedRunbooks implements Runbooks {
  readonly calls: { readonly name: string; readonly args: readonly unknown[] }[] = [];
  /** Thrown by the named call, once for every entry. */
  readonly failures = new Map<string, DrError[]>();
  certificate = certificate;
  activities: ActivityProgress[] = [];
  views = new Map<string, ItemView>();
  /** Jobs as their runs know them. */
  jobs = new Map<string, Job>();
  schedules = new Map<string, DrillScheduleView>();
  /** What a check finds. */
  problems: JobError[] = [];
  /** What Azure says of every region. */
  region: Omit<RegionLook, 'location'> = { sizes: [], usages: [], subnets: [] };
  /** What Azure's price list says of every machine; absent: it has none of them. */
  perHour: number | undefined = 0.4;
  /** What a discovery writes. */
  onDiscover: (vcenterId: VCenterId) => Promise<number> = async () => 0;
  /** What happens while a decision is on its way. */
  onDecided: () => Promise<void> = async () => undefined;
  /** What the workflow does at once. */
  onAccepted: (operationId: string) => Promise<void> = async () => undefined;

  protect = (input: Parameters<Runbooks['protect']>[0]) => this.#accept('protect', input.operationId, input);
  operate = (item: ProtectedItemId, request: OperationRequest) =>
    this.#accept(request.operation, request.operationId, item, request);
  decide = async (item: ProtectedItemId, job: OperationId, decision: DecisionInput) => {
    await this.onDecided();
    return this.#accept('decide', job, item, job, decision);
  };

  async runPlan(input: PlanRunInput) {
    await this.#accept('runPlan', input.runId, input);
  }
  decidePlan = (plan: string, decision: PlanDecision) =>
    this.#accept('decidePlan', decision.job, plan, decision);
  describePlanJob = (plan: string, job: OperationId) => {
    this.#called('describePlanJob', plan);
    return this.#job(job);
  };
  async runOutcome() {
    return null;
  }
  async isAtTurn() {
    return false;
  }
  tellTurn = async () => undefined;
  async describeSchedule(plan: string) {
    this.#called('describeSchedule', plan);
    const schedule = this.schedules.get(plan);
    if (schedule === undefined) throw new DrError('DR_SCHEDULE_UNKNOWN', { plan });
    return schedule;
  }
  async scheduledPlans() {
    return [...this.schedules.keys()];
  }
  async putSchedule(plan: string, schedule: DrillSchedule) {
    const shown = {
      ...schedule,
      paused: false,
      pausedByFailure: false,
      note: '',
      next: [],
      missed: 0,
      skipped: 0,
    };
    this.schedules.set(plan, shown);
    return shown;
  }
  async removeSchedule(plan: string) {
    await this.describeSchedule(plan);
    this.schedules.delete(plan);
  }
  async controlSchedule(plan: string, action: ScheduleAction, note: string) {
    this.#called('controlSchedule', plan, action, note);
    return this.describeSchedule(plan);
  }

  async lookAtRegion(input: RegionLookInput): Promise<RegionLook> {
    this.#called('lookAtRegion', input);
    return { ...this.region, location: input.location };
  }

  async priceMachines(input: PriceMachinesInput): Promise<readonly MachinePrice[]> {
    this.#called('priceMachines', input);
    const { perHour } = this;
    return perHour === undefined ? [] : input.machines.map((machine) => ({ ...machine, perHour }));
  }

  async check(input: ItemCheckInput): Promise<ItemCheckResult> {
    this.#called('check', input);
    return { problems: this.problems, checkedAt: '2026-11-21T10:00:00.000Z' };
  }

  async describeJob(item: ProtectedItemId, job: OperationId): Promise<Job> {
    this.#called('describeJob', item, job);
    return this.#job(job);
  }

  async describeItem(item: ProtectedItemId): Promise<ItemView> {
    this.#called('describeItem', item);
    const view = this.views.get(item);
    if (view === undefined) throw new DrError('DR_ITEM_UNKNOWN', { item });
    return view;
  }

  async progress(item: ProtectedItemId, job?: OperationId) {
    this.#called('progress', item, job);
    return job === undefined ? this.activities : [];
  }

  async probeVCenter(site: string, url: string) {
    this.#called('probeVCenter', site, url);
    return this.certificate;
  }

  async addVCenter(input: AddVCenterInput) {
    this.#called('addVCenter', input);
    return this.discover(input.site, input.vcenterId);
  }

  async discover(site: string, vcenterId: VCenterId) {
    this.#called('discover', site, vcenterId);
    const machineCount = await this.onDiscover(vcenterId);
    return { machineCount, about: { name: 'vCenter', version: '8.0.3', instanceUuid: 'u' } };
  }

  times(name: string): number {
    return this.calls.filter((call) => call.name === name).length;
  }

  async #job(job: OperationId): Promise<Job> {
    const found = this.jobs.get(job);
    if (found === undefined) throw new DrError('DR_JOB_UNKNOWN', { job });
    return found;
  }

  async #accept(name: string, operationId: OperationId, ...args: unknown[]) {
    this.#called(name, ...args);
    await this.onAccepted(operationId);
    return { operationId };
  }

  #called(name: string, ...args: unknown[]): void {
    this.calls.push({ name, args });
    const failure = this.failures.get(name)?.shift();
    if (failure !== undefined) throw failure;
  }
}

export interface RunningServer {
  readonly url: string;
  readonly folder: string;
  readonly catalogue: Catalogue;
  readonly runbooks: PlayedRunbooks;
  readonly notifier: Notifier;
  readonly points: RecoveryPoint[];
  /** Whose recovery points were read, once for every read. */
  readonly pointReads: ProtectedItemId[];
  /** Thrown by the next reads of recovery points, once for every entry. */
  readonly pointFailures: DrError[];
  /** Pages by `<plan>/<run>`. */
  readonly evidence: Map<string, string>;
  readonly connections: Map<string, VCenterConnection>;
  readonly authorityPem: string;
  readonly token: string;
  readonly client: Client;
  /** Every line the server has logged. */
  readonly logged: string[];
  close(): Promise<void>;
}

export async function startServer(
  options: { readonly catalogueUrl?: Secret; readonly receivers?: readonly NotificationReceiver[] } = {},
): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-server-'));
  const catalogue = await openCatalogue({
    folder: join(folder, 'catalogue'),
    ...(options.catalogueUrl === undefined ? {} : { url: options.catalogueUrl }),
  });
  const tls = await ensureServerTls({ folder: join(folder, 'tls'), hosts: ['127.0.0.1', 'localhost'] });
  const runbooks = new PlayedRunbooks();
  const points: RecoveryPoint[] = [];
  const pointReads: ProtectedItemId[] = [];
  const pointFailures: DrError[] = [];
  const evidence = new Map<string, string>();
  const connections = new Map<string, VCenterConnection>();
  const logged: string[] = [];
  const log = pino({ level: 'trace' }, sink(logged));
  const notifier = new Notifier({ outbox: catalogue.outbox, receivers: options.receivers ?? [], log });
  const server = await createServer({
    site: 'main',
    location: 'westeurope',
    version: '0.0.0',
    intervalSecondsMin: 60,
    tls,
    catalogue,
    runbooks,
    points: {
      async page(item, { after, limit }) {
        pointReads.push(item);
        const failure = pointFailures.shift();
        if (failure !== undefined) throw failure;
        const rest = points
          .filter((point) => point.itemId === item && (after === undefined || point.pointId < after))
          .toSorted((a, b) => b.barrierNumber - a.barrierNumber);
        const items = rest.slice(0, limit);
        const last = items.at(-1);
        return rest.length > limit && last !== undefined ? { items, nextCursor: last.pointId } : { items };
      },
    },
    evidence: {
      page: async (plan, run) => evidence.get(`${plan}/${run}`) ?? null,
      key: { keyId: 'ab'.repeat(32), publicKeyPem: '-----BEGIN PUBLIC KEY-----\n' },
    },
    vcenters: {
      save: async (connection) => void connections.set(connection.id, connection),
      remove: async (id) => void connections.delete(id),
      async load(id) {
        const found = connections.get(id);
        if (found === undefined) throw new DrError('DR_VCENTER_UNKNOWN', { vcenter: id });
        return found;
      },
    },
    tokens: await openTokens({ catalogue, dataDir: folder }),
    notifier,
    log,
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const address = server.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = `https://127.0.0.1:${address.port}`;
  const token = (await readFile(join(folder, 'administrator.token'), 'utf8')).trim();
  const client = createClient({ server: url, authorityPem: tls.authority, token: new Secret(token) });
  return {
    url,
    folder,
    catalogue,
    runbooks,
    notifier,
    points,
    pointReads,
    pointFailures,
    evidence,
    connections,
    authorityPem: tls.authority,
    token,
    client,
    logged,
    async close() {
      await client.close();
      await server.close();
      await catalogue.close();
      await rm(folder, { recursive: true });
    },
  };
}

function sink(lines: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
}
