/** A script inside a machine in Azure. */
import { createHash } from 'node:crypto';
import { DeadlineError, withDeadline } from '../../providers/azure/deadline.ts';
import { oneLine } from '../../providers/steps/redact.ts';
import type { GuestScriptResult } from '../../domain/ports.ts';
import type { StepInput } from '../../workflows/contracts/plan.ts';
import { azureOf, failed, type Executor } from './step.ts';

/** Azure takes no more. */
const TIMEOUT_SECONDS_MAX = 90 * 60;
const SHOWN_LENGTH_MAX = 300;

export const runCommand: Executor<'runCommand'> = async (ports, step, action, signal) => {
  const { guests, vmId } = azureOf(ports, step, action.machine);
  const timeoutSeconds = Math.max(1, Math.min(Math.ceil(step.timeoutSeconds), TIMEOUT_SECONDS_MAX));
  const { runId } = step;
  const script = { vmId, runId, name: nameOf(step), script: action.script, timeoutSeconds };
  const end = await inTime(step, signal, (signal) => guests.runScript(script, signal));
  if (end.state !== 'Succeeded' || (end.exitCode ?? 0) !== 0) throw failed(step, whatHappened(end));
  const exitCode = end.exitCode ?? 0;
  return {
    detail: `exit code ${exitCode}`,
    observed: { exitCode, output: end.output, errors: end.error },
  };
};

/** Of a run and its step: another try finds the execution of the one before. */
function nameOf({ runId, stepName }: StepInput): string {
  const digest = createHash('sha256').update(`${runId}\n${stepName}`).digest('hex');
  return `switchback-${digest.slice(0, 24)}`;
}

async function inTime(
  step: StepInput,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<GuestScriptResult>,
): Promise<GuestScriptResult> {
  try {
    return await withDeadline(step.timeoutSeconds * 1000, signal, work);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DeadlineError)) throw error;
    throw failed(step, `the script did not end within ${step.timeoutSeconds} s`);
  }
}

function whatHappened({ state, exitCode, output, error }: GuestScriptResult): string {
  const said = oneLine((error.trim() || output).slice(-SHOWN_LENGTH_MAX), SHOWN_LENGTH_MAX);
  const how = state === 'Succeeded' ? `exit code ${exitCode ?? 'unknown'}` : state;
  const code = state === 'Succeeded' || exitCode === null ? '' : ` with exit code ${exitCode}`;
  return said === '' ? how + code : `${how}${code}: ${said}`;
}
