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
  for (let waitMs: number = WAIT_MS.first; ; waitMs = Math.min(waitMs * 2, WAIT_MS.max)) {
    signal.throwIfAborted();
    try {
      return await NativeConnection.connect({
        address: config.temporal.address,
        ...(tls === undefined ? {} : { tls }),
      });
    } catch (error) {
      log.warn({ address: config.temporal.address, err: error }, 'Temporal does not answer; trying again');
      await delay(waitMs, undefined, { signal });
    }
  }
}
