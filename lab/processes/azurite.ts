/** Azurite, Microsoft's own emulator of the storage service, blobs only. */
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { repositoryRoot } from '../tools/cache.ts';
import { flags, startProcess, type Running } from './process.ts';
import { portAccepts } from './ready.ts';

export interface AzuriteOptions {
  readonly folder: string;
  readonly logFile: string;
  readonly port: number;
  readonly accountName: string;
  /** Holds the account key, base64. */
  readonly keyFile: string;
}

export interface AzuriteRunning extends Running {
  /** Blob endpoint of the account. */
  readonly accountUrl: string;
}

const HOST = '127.0.0.1';
const program = join(repositoryRoot, 'node_modules/azurite/dist/src/blob/main.js');

export async function startAzurite(options: AzuriteOptions): Promise<AzuriteRunning> {
  const { folder, logFile, port, accountName, keyFile } = options;
  const key = (await readFile(keyFile, 'utf8')).trim();
  const running = await startProcess({
    name: 'azurite',
    command: process.execPath,
    args: [
      program,
      ...flags({ blobHost: HOST, blobPort: String(port), location: folder }),
      '--skipApiVersionCheck',
      '--silent',
      '--disableTelemetry',
    ],
    env: { ...process.env, AZURITE_ACCOUNTS: `${accountName}:${key}` },
    logFile,
    ready: () => portAccepts(HOST, port),
    readyWithinMs: 60_000,
  });
  return { ...running, accountUrl: `http://${HOST}:${port}/${accountName}` };
}
