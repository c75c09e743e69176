/** Asks an application again and again, until it answers as wanted or the time is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DeadlineError, withDeadline } from '../../providers/azure/deadline.ts';
import { logPattern, lookBootLog, type LogPattern } from '../../providers/probes/boot-log.ts';
import { lookCertificate } from '../../providers/probes/certificate.ts';
import { lookHttp } from '../../providers/probes/http.ts';
import { look, unseen, type Look } from '../../providers/probes/look.ts';
import { lookMysql } from '../../providers/probes/mysql.ts';
import { lookPostgresql } from '../../providers/probes/postgresql.ts';
import { lookTcp } from '../../providers/probes/tcp.ts';
import { redact } from '../../providers/steps/redact.ts';
import type { StepInput } from '../../workflows/contracts/plan.ts';
import { addressOf, azureOf, failed, refused, type ActionOf, type Executor, type StepPorts } from './step.ts';

type Probe = ActionOf<'probe'>['probe'];
type ProbeOf<K extends Probe['kind']> = Extract<Probe, { readonly kind: K }>;
type OneLook = (signal: AbortSignal) => Promise<Look>;

/** The pause between looks grows from the first to the second. */
const PAUSE_MS = 250;
const PAUSE_MS_MAX = 3_000;
/** A console log is written every few seconds, and each look is two calls of Azure. */
const LOG_PAUSE_MS_MAX = 10_000;

export const probe: Executor<'probe'> = async (ports, step, { probe }, signal) => {
  const look = await lookOf(ports, step, probe);
  const pauseMsMax = probe.kind === 'bootLog' ? LOG_PAUSE_MS_MAX : PAUSE_MS_MAX;
  const from = performance.now();
  let looks = 0;
  let saw = 'nothing yet';
  const untilItHolds = async (signal: AbortSignal): Promise<Look> => {
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
      looks += 1;
      const seen = await look(signal);
      if (seen.holds) return seen;
      saw = seen.saw;
      await sleep(pauseMs, undefined, { signal });
    }
  };
  try {
    const seen = await withDeadline(step.timeoutSeconds * 1000, signal, untilItHolds);
    const seconds = Math.round((performance.now() - from) / 1000);
    return { detail: seen.saw, observed: { ...seen.observed, looks, seconds } };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DeadlineError)) throw error;
    throw failed(step, `${looks} looks in ${step.timeoutSeconds} s, at last: ${saw}`);
  }
};

/** Everything that no look can change is found out before the first. */
async function lookOf(ports: StepPorts, step: StepInput, probe: Probe): Promise<OneLook> {
  if (probe.kind === 'bootLog') return bootLogLook(ports, step, probe);
  if (probe.kind === 'http') return httpLook(ports, step, probe);
  const { machine } = probe;
  if (probe.kind === 'tcp') {
    return atAddress(ports, step, machine, (address, signal) => lookTcp({ ...probe, address }, signal));
  }
  if (probe.kind === 'certificate') {
    return atAddress(ports, step, machine, (address, signal) =>
      lookCertificate({ ...probe, address }, signal),
    );
  }
  return databaseLook(ports, step, probe);
}

function bootLogLook(ports: StepPorts, step: StepInput, probe: ProbeOf<'bootLog'>): OneLook {
  const { guests, vmId } = azureOf(ports, step, probe.machine);
  const matches = patternOf(step, probe.pattern);
  return (signal) => lookBootLog(guests, { vmId, matches }, signal);
}

function httpLook(ports: StepPorts, step: StepInput, probe: ProbeOf<'http'>): OneLook {
  checkUrl(step, probe.url.replaceAll('{address}', 'address'));
  if (!probe.url.includes('{address}')) return (signal) => lookHttp({ ...probe, address: '' }, signal);
  return atAddress(ports, step, probe.machine, (address, signal) => lookHttp({ ...probe, address }, signal));
}

function atAddress(
  ports: StepPorts,
  step: StepInput,
  machine: string,
  lookAt: (address: string, signal: AbortSignal) => Promise<Look>,
): OneLook {
  const whereabouts = addressOf(ports, step, machine);
  return (signal) =>
    look(signal, async (signal) => {
      const address = await whereabouts();
      return address === null ? unseen(`no address of "${machine}" is known`) : lookAt(address, signal);
    });
}

async function databaseLook(
  ports: StepPorts,
  step: StepInput,
  probe: ProbeOf<'postgresql' | 'mysql'>,
): Promise<OneLook> {
  const password = await ports.secrets.secret(probe.secret);
  const lookAt = probe.kind === 'mysql' ? lookMysql : lookPostgresql;
  const look = atAddress(ports, step, probe.machine, (address, signal) =>
    lookAt({ ...probe, address, password }, signal),
  );
  return async (signal) => {
    const seen = await look(signal);
    return { ...seen, saw: redact(seen.saw, [password.reveal()]) };
  };
}

function patternOf(step: StepInput, pattern: string): LogPattern {
  try {
    return logPattern(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw refused(step, `its pattern cannot be used: ${reason}`, 'Write it in the syntax of RE2.');
  }
}

function checkUrl(step: StepInput, url: string): void {
  if (URL.canParse(url)) return;
  throw refused(step, `"${url}" is no URL`, 'Correct it in the plan.');
}
