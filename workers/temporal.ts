/** Connections to Temporal, from the configuration. A server that is down is waited for: it may be restarting. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { NativeConnection, type TLSConfig } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { Config } from '../config/load.ts';

const WAIT_MS = { first: 500, max: 5_000 } as const;

export async function temporalTls(config: Config): Promise<TLSConfig | undefined> {
  const { tls } = config.temporal;
  if (tls === undefined) return undefined;
  return {
    serverRootCACertificate: await readFile(tls.caFile),
    clientCertPair: { crt: await readFile(tls.certFile), key: await readFile(tls.keyFile) },
  };
}

/** Resolves when the server answers; gives up only when `signal` is aborted. */
export async function connectWorker(
  config: Config,
  log: Logger,
  signal: AbortSignal,
): Promise<NativeConnection> {
  const tls = await temporalTls(config);
  const { address } = config.temporal;
  return untilAnswered({ what: `connecting to Temporal at ${address}`, log, signal }, () =>
    NativeConnection.connect({ address, ...(tls === undefined ? {} : { tls }) }),
  );
}

export interface Persistence {
  /** For the log: "connecting to Temporal at …". */
  readonly what: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Calls until one succeeds, with growing pauses; rejects only when `signal` is aborted. */
export async function untilAnswered<T>(
  { what, log, signal }: Persistence,
  call: () => Promise<T>,
): Promise<T> {
  for (let waitMs: number = WAIT_MS.first; ; waitMs = Math.min(waitMs * 2, WAIT_MS.max)) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      log.warn({ what, err: error }, 'Temporal does not answer as wanted; trying again');
      await delay(waitMs, undefined, { signal });
    }
  }
}
