/** A small practice ground for end-to-end tests: the real product as separate processes, disturbed from outside. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '../../api/client.ts';
import { loadConfig, type Config } from '../../config/load.ts';
import { RUN_TAG } from '../../domain/names.ts';
import { Secret } from '../../domain/ports.ts';
import { runCli, type CliOptions, type CliResult } from '../../lab/cli.ts';
import type { AzureResource } from '../../lab/controls.ts';
import type { InventoryMachine } from '../../lab/inventory.ts';
import { startLab, type Lab } from '../../lab/lab.ts';
import { identify, isAlive } from '../../lab/processes/pid.ts';
import type { Running } from '../../lab/processes/process.ts';
import type { ProductRole } from '../../lab/processes/product.ts';
import type { TemporalRunning } from '../../lab/processes/temporal.ts';
import { waitFor } from '../../lab/wait.ts';
import { startPostgres, type PostgresCluster } from './postgres.ts';
import { slowStorage, type StorageDelay } from './slow-storage.ts';

export interface PracticeOptions {
  readonly seed: number;
  /** Default: `small-01` with ext4 disks of 64 and 16 MiB. */
  readonly machines?: readonly InventoryMachine[];
  /** Machines that run in Azure answer on this host, from the application on their disk. */
  readonly answeringGuests?: boolean;
}

export interface PracticeResult extends CliResult {
  /** Parsed stdout; undefined when it is not JSON. */
  readonly json: unknown;
}

export interface Practice {
  readonly lab: Lab;
  /** For looking often; what an operator does goes through `switchback`. */
  readonly api: Client;
  /** The product's own settings, for tests that look into the storage account. */
  configuration(): Promise<Config>;
  /** Replaces all delays of requests to the storage account. */
  delayStorage(delays: readonly StorageDelay[]): void;
  /** Runs the real CLI; add `--output json` to read `json`. */
  switchback(args: readonly string[], options?: CliOptions): Promise<PracticeResult>;
  /** `kill -9` of a role's process; resolves when its supervisor has started another. */
  killRole(role: ProductRole): Promise<void>;
  /** `kill -9` of Temporal, then a start on the same database and port. */
  killTemporal(): Promise<void>;
  /** Starts the process server that machines need to come home, as a process of its own. */
  startTemporaryProcessServer(): Promise<void>;
  /** `kill -9` of it, then a start. */
  killTemporaryProcessServer(): Promise<void>;
  /** Azure resources that carry the tag of any run, or of this one. */
  resourcesOfRuns(runId?: string): Promise<readonly AzureResource[]>;
  /** Names of the snapshots the machine has now. */
  snapshotsOf(machine: string): Promise<readonly string[]>;
  /** Ends every process and, unless asked to keep them, removes every file. */
  stop(options?: { readonly keepFiles?: boolean }): Promise<void>;
}

export const smallMachine = (seed: number): InventoryMachine => ({
  name: 'small-01',
  cpus: 2,
  memoryMiB: 2048,
  poweredOn: true,
  disks: [
    { mib: 64, filesystem: 'ext4', seed },
    { mib: 16, filesystem: 'ext4', seed: seed + 1 },
  ],
});

const RESTART_MS = 60_000;

export async function startPractice({
  seed,
  machines,
  answeringGuests = false,
}: PracticeOptions): Promise<Practice> {
  process.stderr.write(`practice ground with seed ${seed}\n`);
  const folder = await mkdtemp(join(tmpdir(), 'switchback-e2e-'));
  const inventory = machines ?? [smallMachine(seed)];
  const postgres =
    process.env['SWITCHBACK_TEST_CATALOGUE'] === 'postgres' ? await startPostgres() : undefined;
  const storage = slowStorage();
  const remove = async (keepFiles = false) => {
    await storage.stop();
    await postgres?.stop();
    if (!keepFiles) await rm(folder, { recursive: true, force: true });
  };
  const catalogue = postgres === undefined ? {} : { catalogueUrlFile: await urlFile(postgres, folder) };
  const storageFront = (accountUrl: string) => storage.inFrontOf(accountUrl);
  const lab = await startLab({
    folder,
    seed,
    inventory,
    headless: true,
    answeringGuests,
    storageFront,
    ...catalogue,
  }).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  const api = await clientOf(lab);
  let temporal: TemporalRunning = lab.temporal;
  let temporary: Running | undefined;
  return {
    lab,
    api,
    configuration: () => loadConfig({ file: lab.paths.configuration, env: {}, flags: {} }),
    delayStorage: (delays) => storage.delay(delays),
    async switchback(args, options) {
      const result = await runCli(lab.paths, args, options);
      return { ...result, json: jsonOf(result.stdout) };
    },
    killRole: (role) => killRole(lab, role),
    async killTemporal() {
      temporal.kill('SIGKILL');
      await temporal.exited;
      temporal = await lab.restartTemporal();
    },
    async startTemporaryProcessServer() {
      temporary = await lab.startTemporaryProcessServer();
    },
    async killTemporaryProcessServer() {
      if (temporary === undefined) throw new Error('the temporary process server was not started');
      temporary.kill('SIGKILL');
      await temporary.exited;
      temporary = await lab.startTemporaryProcessServer();
    },
    async resourcesOfRuns(runId) {
      const resources = await lab.azure.resources();
      return resources.filter(({ tags }) => {
        const run = tags[RUN_TAG];
        return runId === undefined ? run !== undefined : run === runId;
      });
    },
    async snapshotsOf(machine) {
      return (await lab.guest.machine(machine)).snapshots.map(({ name }) => name);
    },
    async stop({ keepFiles } = {}) {
      await api.close();
      await lab.stop();
      await remove(keepFiles);
    },
  };
}

async function clientOf({ paths }: Lab): Promise<Client> {
  const profile = JSON.parse(await readFile(paths.profile, 'utf8')) as Record<
    'server' | 'tokenFile' | 'caFile',
    string
  >;
  const [token, authorityPem] = await Promise.all([
    readFile(profile.tokenFile, 'utf8'),
    readFile(profile.caFile, 'utf8'),
  ]);
  return createClient({ server: profile.server, authorityPem, token: new Secret(token.trim()) });
}

async function urlFile(postgres: PostgresCluster, folder: string): Promise<string> {
  const file = join(folder, 'catalogue.url');
  await writeFile(file, (await postgres.createDatabase('switchback')).reveal(), { mode: 0o600 });
  return file;
}

async function killRole({ product }: Lab, role: ProductRole): Promise<void> {
  const runningPid = () => product.rolePid(role);
  const bound = { withinMs: RESTART_MS };
  const pid = await waitFor(runningPid, { ...bound, what: `${role} to run` });
  const killed = identify(pid);
  process.kill(pid, 'SIGKILL');
  await waitFor(() => !isAlive(killed), { ...bound, what: `${role} to be gone` });
  const another = async () => {
    const now = await runningPid();
    return now !== undefined && now !== pid;
  };
  await waitFor(another, { ...bound, what: `${role} to be started again` });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
