/** A practice vCenter of its own for one test file, and the hand that plays guests, power cuts and lost sessions. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { asId, type MachineId, type VCenterId } from '../../../domain/ids.ts';
import { Secret, type VCenterConnection, type VCenterSession } from '../../../domain/ports.ts';
import { freePorts } from '../../../lab/processes/ports.ts';
import { startVCenter, type VCenterRunning } from '../../../lab/processes/vcenter.ts';
import { vcenterBinary } from '../../../lab/tools/vcenter.ts';
import { createVSphere } from '../../../providers/vsphere/vsphere.ts';

export const PASSWORD = 'correct horse battery staple';

export interface InventoryMachine {
  readonly name: string;
  readonly folder?: string;
  readonly tags?: readonly string[];
  readonly poweredOn?: boolean;
  readonly firmware?: 'bios' | 'efi';
  readonly guestId?: string;
  readonly disks?: readonly {
    readonly mib: number;
    readonly mode?: string;
    readonly backing?: string;
    readonly shared?: boolean;
  }[];
  readonly snapshots?: readonly string[];
}

export interface PracticeVCenter {
  readonly url: string;
  readonly certificateFile: string;
  readonly connection: VCenterConnection;
  machineId(name: string): Promise<MachineId>;
  /** @throws Error with status and body when refused */
  lab(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

export async function startPracticeVCenter(
  inventory: readonly InventoryMachine[],
  { loopbackGuests = false } = {},
): Promise<PracticeVCenter> {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-vsphere-'));
  const file = (name: string) => join(folder, name);
  await writeFile(file('password'), PASSWORD, { mode: 0o600 });
  await writeFile(file('inventory.json'), JSON.stringify(inventory));
  const running: VCenterRunning = await startVCenter({
    binary: await vcenterBinary(),
    stateFolder: file('state'),
    readyFile: file('ready.json'),
    logFile: file('vcenter.log'),
    port: loopbackGuests ? ((await freePorts(1))[0] ?? 0) : 0,
    loopbackGuests,
    nbdPort: 0,
    username: 'administrator@vsphere.local',
    passwordFile: file('password'),
    inventoryFile: file('inventory.json'),
  });
  const { facts } = running;
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const connection: VCenterConnection = {
    id: asId<VCenterId>('practice'),
    url: facts.url,
    username: facts.username,
    password: new Secret(PASSWORD),
    certificate: {
      sha256: facts.certificateSha256,
      pem: await readFile(facts.certificateFile, 'utf8'),
    },
  };

  async function lab(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    const answer = await request(`${facts.url}/_lab/${path}`, {
      method,
      dispatcher,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: HTTP ${answer.statusCode} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  return {
    url: facts.url,
    certificateFile: facts.certificateFile,
    connection,
    lab,
    machineId: async (name) => {
      const machines = (await lab('GET', 'machines')) as { name: string; instanceUuid: string }[];
      const found = machines.find((machine) => machine.name === name);
      if (found === undefined) throw new Error(`no machine ${name}`);
      return asId<MachineId>(found.instanceUuid);
    },
    stop: async () => {
      await dispatcher.close();
      await running.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts work in another process's place and returns once vCenter is busy with it. */
export async function startedElsewhere<T>(
  practice: PracticeVCenter,
  work: (session: VCenterSession, onProgress: () => void) => Promise<T>,
): Promise<{ readonly result: Promise<T>; readonly close: () => Promise<void> }> {
  const other = createVSphere();
  let calls = 0;
  const { promise: busy, resolve } = Promise.withResolvers<void>();
  const result = work(other.session(practice.connection), () => {
    calls += 1;
    if (calls === 2) resolve();
  });
  await Promise.race([busy, result]);
  return { result, close: () => other.close() };
}

/** Code of the catalogue a piece of work ended with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'succeeded',
    (error: Error & { readonly code?: string }) => error.code ?? error.message,
  );
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
