/** One contender's place: a namespace of its own, a storage emulator of its own, exports of the test disks. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchRun } from './bench-run.ts';
import { startDriver, type Driver, type DriverOptions } from './driver.ts';
import type { ApplyCalls } from './drivers/apply.ts';
import type { ShipCalls, ShippedDisk } from './drivers/ship.ts';
import type { VaultPlace } from './drivers/vault.ts';
import { createNamespace, type Namespace } from './netns.ts';
import { cpuSeconds, memoryOf } from './processes.ts';
import type { Metrics } from './rows.ts';
import {
  DEVELOPMENT_ACCOUNT,
  DEVELOPMENT_KEY,
  startAzurite,
  startNbdExport,
  type Azurite,
  type NbdExport,
} from './servers.ts';

/** In the rig's namespace, unless another one is named. */
type AskedDriver = Omit<DriverOptions, 'namespace' | 'folder' | 'signal'> & {
  readonly namespace?: Namespace;
};

export interface Rig {
  readonly namespace: Namespace;
  readonly folder: string;
  readonly azurite: Azurite;
  readonly vault: VaultPlace;
  exportImage(image: string, mode?: 'read' | 'write'): Promise<NbdExport>;
  startDriver<Calls extends object>(options: AskedDriver): Promise<Driver<Calls>>;
}

export interface RigOptions {
  readonly label: string;
  readonly tls: boolean;
  /** Where the emulator keeps its blobs; default: the RAM disk. */
  readonly folder?: string;
}

let rigs = 0;

/** Everything that was started inside has ended, and nothing is left of it, when this resolves. */
export async function withRig<T>(
  bench: BenchRun,
  options: RigOptions,
  work: (rig: Rig) => Promise<T>,
): Promise<T> {
  await using stack = new AsyncDisposableStack();
  bench.signal.throwIfAborted();
  rigs += 1;
  const label = `${options.label}${rigs}`;
  const folder = join(options.folder ?? bench.folder, label);
  await mkdir(folder, { recursive: true });
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const namespace = await createNamespace(label);
  stack.defer(() => namespace.remove());
  const azurite = await startAzurite(namespace, join(folder, 'azurite'), options.tls ? bench.tls : null);
  stack.defer(() => azurite.stop());
  let exports = 0;
  const env = { NODE_EXTRA_CA_CERTS: bench.tls.certificateFile };
  return await work({
    namespace,
    folder,
    azurite,
    vault: {
      accountUrl: azurite.accountUrl,
      accountName: DEVELOPMENT_ACCOUNT,
      accountKey: DEVELOPMENT_KEY,
      keyFile: join(folder, 'vault.key'),
      cacheFolder: join(folder, 'cache'),
    },
    async exportImage(image, mode = 'read') {
      exports += 1;
      const server = await startNbdExport(image, join(folder, `${exports}.sock`), mode);
      stack.defer(() => server.stop());
      return server;
    },
    async startDriver<Calls extends object>(asked: AskedDriver) {
      const driver = await startDriver<Calls>({
        namespace,
        folder,
        signal: bench.signal,
        ...asked,
        env: { ...env, ...asked.env },
      });
      stack.defer(() => driver.stop());
      return driver;
    },
  });
}

export interface PlaceOptions {
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
  /** Default: the rig's. */
  readonly vault?: VaultPlace;
  readonly namespace?: Namespace;
}

export async function startShip(rig: Rig, options: PlaceOptions = {}): Promise<Driver<ShipCalls>> {
  const { vault = rig.vault, ...rest } = options;
  const driver = await rig.startDriver<ShipCalls>({ program: 'ship', ...rest });
  await driver.call('open', vault);
  return driver;
}

export async function startApply(rig: Rig, options: PlaceOptions = {}): Promise<Driver<ApplyCalls>> {
  const { vault = rig.vault, ...rest } = options;
  const driver = await rig.startDriver<ApplyCalls>({ program: 'apply', ...rest });
  await driver.call('open', vault);
  return driver;
}

/** Ids of a stream and its disks, of the form the product's have. */
export function diskIdOf(index: number): string {
  return index.toString(16).padStart(32, '0');
}

export function shippedDisk(
  index: number,
  capacityBytes: number,
  socketPath: string,
  changed: ShippedDisk['changed'] = [{ offset: 0, length: capacityBytes }],
): ShippedDisk {
  return { diskId: diskIdOf(index), capacityBytes, socketPath, changed };
}

interface Probe {
  readonly namespace: Namespace;
  /** Whose received bytes count; default: the loopback device. */
  readonly device?: string;
  /** Processes by what their CPU time is called: `server` gives `serverCpuSeconds`. */
  readonly pids: Readonly<Record<string, number>>;
}

/** CPU seconds of each process and bytes of the device while `work` runs. */
export async function metered<T>(
  { namespace, device = 'lo', pids }: Probe,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly metrics: Metrics }> {
  const cpuNow = () => Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)] as const);
  const bytesNow = () => (device === 'lo' ? namespace.receivedBytes(device) : namespace.sentBytes(device));
  const bytesBefore = await bytesNow();
  const cpuBefore = new Map(cpuNow());
  const result = await work();
  const cpu = cpuNow().map(([name, seconds]) => [`${name}CpuSeconds`, seconds - (cpuBefore.get(name) ?? 0)]);
  return {
    result,
    metrics: { ...Object.fromEntries(cpu), wireBytes: (await bytesNow()) - bytesBefore },
  };
}

export function peakBytes(pid: number): number {
  return memoryOf(pid).peakBytes;
}
