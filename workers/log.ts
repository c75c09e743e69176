/** One JSON line per event on standard output; Temporal's own messages come through the same logger. */
import { pino, type Logger } from 'pino';
import { DefaultLogger, makeTelemetryFilterString, Runtime, type LogLevel } from '@temporalio/worker';

const LEVELS: Readonly<Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

export function createLog(role: string, level: string): Logger {
  const redact = ['req.headers.authorization', '*.password', '*.secret', '*.token'];
  return pino({ level, base: { role, pid: process.pid }, redact });
}

/** Call once per process, before the first connection. */
export function installTemporalLog(log: Logger): void {
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => log[LEVELS[level]](meta ?? {}, message)),
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
    shutdownSignals: [],
  });
}
