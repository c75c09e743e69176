/** `switchback lab up|status|down`: labs under `.lab/` that go on without a terminal. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isInUse, labPaths, readRecord, writeRecord, type LabPaths, type LabRecord } from './folder.ts';
import { startLab, type LabOptions } from './lab.ts';
import { isAlive, stopProcess } from './processes/pid.ts';
import { repositoryRoot } from './tools/cache.ts';

export const labsFolder = join(repositoryRoot, '.lab');

export interface LabStatus {
  readonly name: string;
  readonly folder: string;
  /** True when every process runs. */
  readonly up: boolean;
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly alive: boolean }[];
  readonly addresses: Readonly<Record<string, string>>;
}

/** Starts the lab `name`, or finds it running. */
export async function labUp(name: string, options: Pick<LabOptions, 'seed' | 'onReady'>): Promise<LabStatus> {
  const paths = labPaths(join(labsFolder, name));
  const found = await statusOf(name, paths);
  if (found?.up === true) return found;
  await endProcesses(paths);
  const lab = await startLab({ folder: paths.folder, ...options });
  await lab.leaveRunning();
  const status = await statusOf(name, paths);
  if (status === undefined) throw new Error(`${paths.record} is gone`);
  return status;
}

/** Every lab that was ever started and not removed. */
export async function labStatus(): Promise<readonly LabStatus[]> {
  const all = await Promise.all(
    (await labNames()).map((name) => statusOf(name, labPaths(join(labsFolder, name)))),
  );
  return all.filter((status) => status !== undefined);
}

/**
 * Stops every lab that no running program uses; `remove` deletes its files too. Answers the names of those stopped.
 */
export async function labDown({ remove }: { readonly remove: boolean }): Promise<readonly string[]> {
  const stopped: string[] = [];
  for (const name of await labNames()) {
    const paths = labPaths(join(labsFolder, name));
    const record = await readRecord(paths);
    if (record !== undefined && isInUse(record)) continue;
    await endProcesses(paths);
    if (remove) await rm(paths.folder, { recursive: true, force: true });
    stopped.push(name);
  }
  return stopped;
}

/**
 * Ends what an earlier start in this folder left running: last started, first stopped.
 * @throws Error when a running program uses the lab
 */
export async function endProcesses(paths: LabPaths): Promise<void> {
  const record = await readRecord(paths);
  if (record === undefined) return;
  if (isInUse(record)) throw new Error(`${paths.folder} is in use by process ${record.owner?.pid}`);
  for (const identity of record.processes.toReversed()) await stopProcess(identity);
  await writeRecord(paths, { ...record, owner: null, processes: [] });
}

async function labNames(): Promise<string[]> {
  if (!existsSync(labsFolder)) return [];
  const entries = await readdir(labsFolder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function statusOf(name: string, paths: LabPaths): Promise<LabStatus | undefined> {
  const record = await readRecord(paths);
  if (record === undefined) return undefined;
  const processes = record.processes.map((process) => ({
    name: process.name,
    pid: process.pid,
    alive: isAlive(process),
  }));
  return {
    name,
    folder: paths.folder,
    up: processes.length > 0 && processes.every(({ alive }) => alive),
    processes,
    addresses: addressesOf(record),
  };
}

function addressesOf({ ports }: LabRecord): Record<string, string> {
  return {
    api: `https://127.0.0.1:${ports.api}`,
    temporal: `127.0.0.1:${ports.temporal}`,
    temporalUi: `http://127.0.0.1:${ports.temporalUi}`,
    vcenter: `https://127.0.0.1:${ports.vcenter}`,
    arm: `https://127.0.0.1:${ports.arm}`,
  };
}
