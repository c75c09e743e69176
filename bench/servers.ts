/** The servers a contender talks to, each inside its namespace: storage emulator and NBD export. */
import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { flags, startProcess, type Running } from '../lab/processes/process.ts';
import { debianTool } from '../lab/tools/debian.ts';
import { repositoryRoot } from '../lab/tools/cache.ts';
import type { Namespace } from './netns.ts';

const AZURITE_PORT = 10_000;
const READY_MS = 60_000;
const azuriteProgram = join(repositoryRoot, 'node_modules/azurite/dist/src/blob/main.js');

/** The emulator's well-known development account, which every client knows. */
export const DEVELOPMENT_ACCOUNT = 'devstoreaccount1';
export const DEVELOPMENT_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface TlsFiles {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface Azurite extends Running {
  readonly port: number;
  readonly accountUrl: string;
}

/** Blobs only, kept in `folder`; plain HTTP without `tls`. Listens on the loopback address. */
export async function startAzurite(
  namespace: Namespace,
  folder: string,
  tls: TlsFiles | null,
): Promise<Azurite> {
  await mkdir(folder, { recursive: true });
  const [command = '', ...prefix] = namespace.prefix;
  const running = await startProcess({
    name: 'azurite',
    command,
    args: [
      ...prefix,
      process.execPath,
      azuriteProgram,
      ...flags({ blobHost: '127.0.0.1', blobPort: String(AZURITE_PORT), location: folder }),
      '--silent',
      '--disableTelemetry',
      '--skipApiVersionCheck',
      ...(tls === null ? [] : flags({ cert: tls.certificateFile, key: tls.keyFile })),
    ],
    logFile: `${folder}.log`,
    ready: async () => (await namespace.listens(AZURITE_PORT)) || undefined,
    readyWithinMs: READY_MS,
  });
  const scheme = tls === null ? 'http' : 'https';
  const accountUrl = `${scheme}://127.0.0.1:${AZURITE_PORT}/${DEVELOPMENT_ACCOUNT}`;
  return { ...running, port: AZURITE_PORT, accountUrl };
}

export interface NbdExport extends Running {
  readonly socketPath: string;
}

/** nbdkit's `file` plugin on a UNIX socket, as the process server meets `nbdkit vddk`. */
export async function startNbdExport(
  image: string,
  socketPath: string,
  mode: 'read' | 'write',
): Promise<NbdExport> {
  await rm(socketPath, { force: true });
  const running = await startProcess({
    name: 'nbdkit',
    command: debianTool('nbdkit'),
    args: ['--foreground', ...(mode === 'read' ? ['--readonly'] : []), '--unix', socketPath, 'file', image],
    logFile: `${socketPath}.log`,
    ready: () => accepts(socketPath),
    readyWithinMs: READY_MS,
  });
  return { ...running, socketPath };
}

function accepts(socketPath: string): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketPath });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(undefined));
  });
}
