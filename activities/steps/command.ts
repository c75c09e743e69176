/** A program on a worker. */
import { allowedProgram, forbiddenVariable } from '../../providers/steps/allowed-program.ts';
import { runProgram, type ProgramEnd } from '../../providers/steps/program.ts';
import { oneLine } from '../../providers/steps/redact.ts';
import type { StepInput } from '../../workflows/contracts/plan.ts';
import { failed, refused, type ActionOf, type Executor, type StepPorts } from './step.ts';

const OUTPUT_BYTES_MAX = 4 * 1024;
const GRACE_MS = 5_000;
/** A variable longer than 128 KiB cannot be handed on. */
const ADDRESSES_LENGTH_MAX = 100 * 1024;
const SHOWN_LENGTH_MAX = 300;

export const command: Executor<'command'> = async (ports, step, action, signal) => {
  const [program = '', ...args] = action.argv;
  const allowed = await allowedProgram(ports.commandFolders, program);
  if (!('file' in allowed)) throw refused(step, allowed.reason, allowed.remedy);
  const { environment, secrets } = await environmentOf(ports, step, action);
  const end = await started(step, () =>
    runProgram(
      {
        file: allowed.file,
        args,
        environment,
        timeoutMs: step.timeoutSeconds * 1000,
        graceMs: GRACE_MS,
        outputBytesMax: OUTPUT_BYTES_MAX,
        secrets,
      },
      signal,
    ),
  );
  if (end.isTimedOut || end.exitCode !== 0) throw failed(step, whatHappened(step, end));
  return {
    detail: `exit code 0 in ${end.ms} ms`,
    observed: { exitCode: 0, ms: end.ms, output: end.output, errors: end.errors },
  };
};

/** The rest of the worker's own environment stays with the worker. */
async function environmentOf(ports: StepPorts, step: StepInput, action: ActionOf<'command'>) {
  const names = [...Object.keys(action.environment), ...Object.keys(action.secrets)];
  const forbidden = forbiddenVariable(names);
  if (forbidden !== undefined) {
    throw refused(step, `a plan may not set the variable ${forbidden}`, 'Leave it out of the plan.');
  }
  const secrets = await Promise.all(
    Object.entries(action.secrets).map(async ([variable, name]): Promise<[string, string]> => {
      const secret = await ports.secrets.secret(name);
      return [variable, secret.reveal()];
    }),
  );
  const environment = {
    ...action.environment,
    ...Object.fromEntries(secrets),
    ...inherited(),
    ...told(step),
  };
  return { environment, secrets: secrets.map(([, value]) => value) };
}

function inherited(): Record<string, string> {
  const { PATH = '/usr/bin:/bin', LANG } = process.env;
  return { PATH, ...(LANG === undefined ? {} : { LANG }) };
}

function told(step: StepInput): Record<string, string> {
  const addresses = JSON.stringify(
    Object.fromEntries(Object.entries(step.machines).map(([name, { address }]) => [name, address])),
  );
  return {
    SWITCHBACK_RUN: step.runId,
    SWITCHBACK_PLAN: step.planName,
    SWITCHBACK_KIND: step.kind,
    SWITCHBACK_STEP: step.stepName,
    ...(addresses.length > ADDRESSES_LENGTH_MAX ? {} : { SWITCHBACK_ADDRESSES: addresses }),
  };
}

async function started(step: StepInput, run: () => Promise<ProgramEnd>): Promise<ProgramEnd> {
  try {
    return await run();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) throw error;
    throw failed(step, `the program could not be started (${code})`);
  }
}

function whatHappened({ timeoutSeconds }: StepInput, end: ProgramEnd): string {
  const said = oneLine((end.errors.trim() || end.output).slice(-SHOWN_LENGTH_MAX), SHOWN_LENGTH_MAX);
  const how = end.isTimedOut
    ? `it did not end within ${timeoutSeconds} s and was stopped`
    : end.exitCode === null
      ? `ended by ${end.signal ?? 'a signal'}`
      : `exit code ${end.exitCode}`;
  return said === '' ? how : `${how}: ${said}`;
}
