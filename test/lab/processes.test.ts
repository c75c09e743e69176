import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { startAzurite } from '../../lab/processes/azurite.ts';
import { identify, isAlive } from '../../lab/processes/pid.ts';
import { freePorts } from '../../lab/processes/ports.ts';
import { startProcess, type ProcessOptions } from '../../lab/processes/process.ts';
import { startTemporal } from '../../lab/processes/temporal.ts';
import { repositoryRoot } from '../../lab/tools/cache.ts';
import { temporalBinary } from '../../lab/tools/temporal.ts';
import { waitFor } from '../../lab/wait.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-lab-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const nodeProcess = (code: string, more: Partial<ProcessOptions<true>> = {}): ProcessOptions<true> => ({
  name: 'sample',
  command: process.execPath,
  args: ['-e', code],
  logFile: join(folder, 'sample.log'),
  ready: async () => true,
  readyWithinMs: 10_000,
  ...more,
});

describe('a process of the lab', () => {
  test('that ends before it is ready is reported with the end of its log', async () => {
    const failing = nodeProcess('console.log("no such disk"); process.exit(3)', {
      ready: async () => undefined,
    });
    await expect(startProcess(failing)).rejects.toThrow(/sample did not start: .*exit code 3\nno such disk/s);
  });

  test('that cannot be run is reported by name', async () => {
    const absent = nodeProcess('', { command: join(folder, 'absent') });
    await expect(startProcess(absent)).rejects.toThrow(/sample did not start/);
  });

  test('is stopped with SIGTERM and its end is seen', async () => {
    const running = await startProcess(nodeProcess('setInterval(() => {}, 1000)'));
    expect(isAlive(running.identity)).toBe(true);
    await running.stop();
    expect(isAlive(running.identity)).toBe(false);
    expect(await running.exited).toEqual({ code: null, signal: 'SIGTERM' });
  });

  test('ends when the process that started it is killed', async () => {
    const pidFile = join(folder, 'pid');
    const parentFile = join(folder, 'parent.ts');
    await writeFile(
      parentFile,
      `import { writeFileSync } from 'node:fs';
       import { startProcess } from ${JSON.stringify(join(repositoryRoot, 'lab/processes/process.ts'))};
       const child = await startProcess({ name: 'child', command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'],
         logFile: ${JSON.stringify(join(folder, 'child.log'))}, ready: async () => true, readyWithinMs: 10000 });
       writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
       setInterval(() => {}, 1000);`,
    );
    const parent = spawn(process.execPath, [parentFile], { stdio: 'ignore' });
    const childPid = await waitFor(
      async () => Number(await readFile(pidFile, 'utf8').catch(() => '')) || undefined,
      {
        what: 'the child to start',
        withinMs: 20_000,
      },
    );
    const child = identify(childPid);
    expect(isAlive(child)).toBe(true);
    parent.kill('SIGKILL');
    await waitFor(() => !isAlive(child), { what: 'the child to end', withinMs: 20_000 });
  });
});

test('Temporal keeps its state over a kill and comes back on the same address', async () => {
  const binary = await temporalBinary();
  const [port = 0] = await freePorts(1);
  const options = {
    binary,
    databaseFile: join(folder, 'temporal.db'),
    logFile: join(folder, 'temporal.log'),
    port,
  };
  const first = await startTemporal(options);
  first.kill('SIGKILL');
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
  const second = await startTemporal(options);
  expect(second.address).toBe(first.address);
  await second.stop();
});

test('Azurite serves the account and key it was given and no other', async () => {
  const [port = 0] = await freePorts(1);
  const key = randomBytes(64).toString('base64');
  const keyFile = join(folder, 'account.key');
  await writeFile(keyFile, `${key}\n`, { mode: 0o600 });
  const azurite = await startAzurite({
    folder: join(folder, 'blobs'),
    logFile: join(folder, 'azurite.log'),
    port,
    accountName: 'practice',
    keyFile,
  });
  const container = (accountKey: string) =>
    new BlobServiceClient(
      azurite.accountUrl,
      new StorageSharedKeyCredential('practice', accountKey),
    ).getContainerClient('switchback');
  await container(key).createIfNotExists();
  await expect(container(randomBytes(64).toString('base64')).exists()).rejects.toMatchObject({
    statusCode: 403,
  });
  await azurite.stop();
});
