/** A real Temporal server on a file database, with its web page. */
import { spawn } from 'node:child_process';
import { flags, startProcess, type Running } from './process.ts';

export interface TemporalOptions {
  readonly binary: string;
  readonly databaseFile: string;
  readonly logFile: string;
  readonly port: number;
  /** Absent: without the web page. */
  readonly uiPort?: number;
}

export interface TemporalRunning extends Running {
  /** `host:port` of the gRPC frontend. */
  readonly address: string;
  readonly uiUrl?: string;
}

const HOST = '127.0.0.1';

/** The write-ahead log survives a killed server; see docs/lab.md. */
const pragmas = ['journal_mode=wal', 'synchronous=normal'];

export async function startTemporal(options: TemporalOptions): Promise<TemporalRunning> {
  const { binary, databaseFile, logFile, port, uiPort } = options;
  const address = `${HOST}:${port}`;
  const running = await startProcess({
    name: 'temporal',
    command: binary,
    args: [
      'server',
      'start-dev',
      ...pragmas.flatMap((pragma) => ['--sqlite-pragma', pragma]),
      ...flags({ 'db-filename': databaseFile, ip: HOST, port: String(port), 'log-level': 'warn' }),
      ...(uiPort === undefined ? ['--headless'] : flags({ 'ui-port': String(uiPort) })),
    ],
    env: withoutTemporalVariables(),
    logFile,
    ready: () => servesNamespace(binary, address),
    readyWithinMs: 60_000,
  });
  return { ...running, address, ...(uiPort === undefined ? {} : { uiUrl: `http://${HOST}:${uiPort}` }) };
}

function servesNamespace(binary: string, address: string): Promise<true | undefined> {
  const args = ['operator', 'namespace', 'describe', '--namespace', 'default', '--address', address];
  return new Promise((resolve) => {
    const child = spawn(binary, args, { stdio: 'ignore', env: withoutTemporalVariables() });
    child.once('error', () => resolve(undefined));
    child.once('exit', (code) => resolve(code === 0 ? true : undefined));
  });
}

/** The user's own Temporal settings must not steer the practice ground. */
function withoutTemporalVariables(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  return { ...Object.fromEntries(kept), TEMPORAL_CONFIG_FILE: '/dev/null' };
}
