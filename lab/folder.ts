/** A lab's folder: where each part keeps its files, and `lab.json`, which makes a restart find the same ports. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createVaultKeyFile } from '../providers/vault/file-vault-key.ts';
import { freePorts } from './processes/ports.ts';
import { isAlive, type ProcessIdentity } from './processes/pid.ts';

const portNames = ['temporal', 'temporalUi', 'vcenter', 'nbd', 'arm', 'azurite', 'api'] as const;
type PortName = (typeof portNames)[number];

export interface LabRecord {
  readonly version: 1;
  readonly seed: number;
  readonly ports: Readonly<Record<PortName, number>>;
  /** The process that uses the lab; null when it was let go of or stopped. */
  readonly owner: ProcessIdentity | null;
  /** What runs now, in the order it was started. */
  readonly processes: readonly (ProcessIdentity & { readonly name: string })[];
}

export type LabPaths = ReturnType<typeof labPaths>;

export function labPaths(folder: string) {
  const at = (...parts: string[]) => join(resolve(folder), ...parts);
  return {
    folder: at(),
    record: at('lab.json'),
    inventory: at('inventory.json'),
    temporalDatabase: at('temporal.db'),
    vcenter: at('vcenter'),
    arm: at('arm'),
    azurite: at('azurite'),
    vcenterPassword: at('secrets/vcenter.password'),
    storageKey: at('secrets/storage.key'),
    vaultKey: at('secrets/vault.key'),
    configuration: at('appliance.yaml'),
    /** `dataDir` of the product. */
    product: at('product'),
    temporaryConfiguration: at('in-azure.yaml'),
    /** `dataDir` of the process server that runs in Azure while machines come home. */
    temporary: at('in-azure'),
    /** Where the CLI finds the product's API. */
    profile: at('profile.json'),
    ready: (name: string) => at(`${name}.ready.json`),
    log: (name: string) => at('logs', `${name}.log`),
  };
}

/** Makes what is missing; a second call finds the same ports and secrets. */
export async function openLabFolder(paths: LabPaths, seed: number): Promise<LabRecord> {
  await mkdir(join(paths.folder, 'secrets'), { recursive: true, mode: 0o700 });
  for (const folder of [paths.vcenter, paths.arm, paths.azurite, paths.product]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  await writeSecretOnce(paths.vcenterPassword, randomBytes(18).toString('base64url'));
  await writeSecretOnce(paths.storageKey, randomBytes(64).toString('base64'));
  if (!existsSync(paths.vaultKey)) await createVaultKeyFile(paths.vaultKey);
  const known = await readRecord(paths);
  if (known !== undefined) return known;
  const record = { version: 1, seed, ports: await choosePorts(), owner: null, processes: [] } as const;
  await writeRecord(paths, record);
  return record;
}

/** True while a running program uses the lab. */
export function isInUse({ owner }: LabRecord): boolean {
  return owner !== null && isAlive(owner);
}

export async function readRecord(paths: LabPaths): Promise<LabRecord | undefined> {
  if (!existsSync(paths.record)) return undefined;
  return JSON.parse(await readFile(paths.record, 'utf8')) as LabRecord;
}

export async function writeRecord(paths: LabPaths, record: LabRecord): Promise<void> {
  const half = `${paths.record}.half`;
  await writeFile(half, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  await rename(half, paths.record);
}

async function writeSecretOnce(file: string, secret: string): Promise<void> {
  if (!existsSync(file)) await writeFile(file, `${secret}\n`, { mode: 0o600, flag: 'wx' });
}

async function choosePorts(): Promise<Record<PortName, number>> {
  const free = await freePorts(portNames.length);
  const pairs = portNames.map((name, index) => [name, free[index]]);
  return Object.fromEntries(pairs) as Record<PortName, number>;
}
