import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sampleJob } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';
import { operatorOf } from './run.ts';

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

function start(argv: readonly string[]) {
  const child = spawn(process.execPath, ['cli/switchback.mjs', ...argv], {
    env: { ...process.env, ...operatorOf(server) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  return { child, output, ended: once(child, 'close') as Promise<[number | null]> };
}

describe('the switchback program', () => {
  test('runs a command against a server it trusts', async () => {
    const { output, ended } = start(['item', 'list']);
    expect(await ended).toEqual([0, null]);
    expect(output).toEqual({ stdout: expect.stringContaining('Nothing is protected'), stderr: '' });
  });

  test('detaches on SIGINT while it watches, with 130', async () => {
    await server.catalogue.recordJob(sampleJob('long'));
    const { child, output, ended } = start(['job', 'watch', 'long']);
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect(output.stderr).toContain('The job goes on');
  });
});
