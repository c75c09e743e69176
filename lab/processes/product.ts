/** The product itself, started as an operator starts it: `switchback appliance --config FILE`. */
import { request } from 'node:https';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { repositoryRoot } from '../tools/cache.ts';
import { startProcess, type Running } from './process.ts';

export const switchbackProgram = join(repositoryRoot, 'cli/switchback.mjs');
export const productRoles = [
  'configuration-server',
  'process-server',
  'recovery-site',
  'master-target',
] as const;
export type ProductRole = (typeof productRoles)[number];

export interface ProductOptions {
  readonly configurationFile: string;
  readonly dataDir: string;
  readonly apiPort: number;
  readonly logFile: string;
}

export interface ProductRunning extends Running {
  readonly apiUrl: string;
  /** Pid of the role's process now; undefined while its supervisor is starting it again. */
  rolePid(role: ProductRole): Promise<number | undefined>;
}

export async function startProduct(options: ProductOptions): Promise<ProductRunning> {
  const { configurationFile, dataDir, apiPort, logFile } = options;
  const apiUrl = `https://127.0.0.1:${apiPort}`;
  const rolePid = (role: ProductRole) => readPid(join(dataDir, 'run', `${role}.json`));
  const running = await startProcess({
    name: 'switchback',
    command: process.execPath,
    args: [switchbackProgram, 'appliance', '--config', configurationFile],
    env: productEnvironment(),
    logFile,
    ready: async () => {
      const pids = await Promise.all(productRoles.map(rolePid));
      return pids.every((pid) => pid !== undefined) && (await answers(`${apiUrl}/health`)) ? true : undefined;
    },
    readyWithinMs: 300_000,
  });
  return { ...running, apiUrl, rolePid };
}

/** The user's own settings must not steer the practice ground. */
export function productEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(SWITCHBACK|TEMPORAL|AZURE)_/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

async function readPid(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text === '' ? undefined : (JSON.parse(text) as { readonly pid: number }).pid;
}

/** The authority's certificate is not at hand before the first start; nothing secret is sent. */
function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request(url, { rejectUnauthorized: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve(false));
    call.once('close', () => resolve(false));
    call.end();
  });
}
