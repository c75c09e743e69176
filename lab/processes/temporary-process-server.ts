/** The process server that runs in Azure while machines come home, started as an operator starts it. */
import { readFile } from 'node:fs/promises';
import { productEnvironment, switchbackProgram } from './product.ts';
import { startProcess, type Running } from './process.ts';

export const TEMPORARY_PROCESS_SERVER = 'temporary-process-server';

export async function startTemporaryProcessServer(options: {
  readonly configurationFile: string;
  readonly logFile: string;
}): Promise<Running> {
  const { configurationFile, logFile } = options;
  const polled = await pollingLines(logFile);
  return startProcess({
    name: TEMPORARY_PROCESS_SERVER,
    command: process.execPath,
    args: [switchbackProgram, 'process-server', 'start', '--temporary', '--config', configurationFile],
    env: productEnvironment(),
    logFile,
    // Earlier starts have written to the same log.
    ready: async () => ((await pollingLines(logFile)) > polled ? true : undefined),
    readyWithinMs: 180_000,
  });
}

async function pollingLines(logFile: string): Promise<number> {
  const log = await readFile(logFile, 'utf8').catch(() => '');
  return log.split('"msg":"polling"').length - 1;
}
