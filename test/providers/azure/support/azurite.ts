/** Starts Microsoft's storage emulator in a process of its own, in memory, on a free port. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Secret } from '../../../../domain/ports.ts';
import { waitFor } from '../../../../lab/wait.ts';
import type { StorageOptions } from '../../../../providers/azure/storage/vault-storage.ts';

/** Azurite's well-known development account. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite {
  readonly storage: (container: string) => StorageOptions;
  stop(): Promise<void>;
}

export async function startAzurite(): Promise<Azurite> {
  const port = await freePort();
  const folder = await mkdtemp(path.join(tmpdir(), 'switchback-azurite-'));
  const main = path.resolve('node_modules/azurite/dist/src/blob/main.js');
  const flags = ['--silent', '--disableTelemetry', '--skipApiVersionCheck', '--inMemoryPersistence'];
  const child = spawn(
    process.execPath,
    [main, '--blobHost', '127.0.0.1', '--blobPort', `${port}`, ...flags],
    {
      cwd: folder,
      stdio: 'ignore',
    },
  );
  await answers(`http://127.0.0.1:${port}/`, child);
  return {
    storage: (container) => ({
      accountUrl: `http://127.0.0.1:${port}/${ACCOUNT}`,
      container,
      credential: { kind: 'sharedKey', accountName: ACCOUNT, key: new Secret(KEY) },
      retry: { triesMax: 4, delayMs: 10 },
    }),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  const isThere = async () => {
    if (child.exitCode !== null) throw new Error(`azurite ended with ${child.exitCode}`);
    return (await fetch(url).catch(() => undefined)) !== undefined;
  };
  try {
    await waitFor(isThere, { what: `azurite at ${url}`, withinMs: 30_000 });
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
