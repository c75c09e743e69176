import { chmod, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { identify, isAlive, type ProcessIdentity } from '../../../lab/processes/pid.ts';
import { waitFor } from '../../../lab/wait.ts';
import { runProgram, type Program } from '../../../providers/steps/program.ts';
import { openStepRig, runStep, stepOf, type StepRig } from './support/steps.ts';

const SECRET = 'correct horse battery staple';
let rig: StepRig;

beforeAll(async () => {
  rig = await openStepRig();
  await rig.secret('token', SECRET);
});
afterAll(() => rig.close());

type Command = Parameters<typeof commandOf>[1];

function commandOf(argv: readonly string[], over: { environment?: object; secrets?: object } = {}) {
  const { environment = {}, secrets = {} } = over as Record<string, Record<string, string>>;
  return stepOf(
    { kind: 'command', on: 'site', argv, environment, secrets },
    {
      machines: { web: { machineName: 'web', address: '10.1.2.3' } },
    },
  );
}

function run(argv: readonly string[], over?: Command) {
  return runStep(rig.ports, commandOf(argv, over));
}

const gone = (started: ProcessIdentity) =>
  waitFor(() => !isAlive(started), {
    what: `the end of process ${started.pid}`,
    withinMs: 5_000,
    everyMs: 10,
  });

describe('a command', () => {
  test('gets its arguments as they are, and an environment of its own', async () => {
    const program = await rig.program('show', ['printf "%s|" "$@"', 'env']);
    process.env['OF_THE_WORKER'] = 'not for programs';
    const { detail, observed } = await run([program, '$HOME; echo x', 'two words'], {
      environment: { DRILL: 'yes' },
    });
    expect(detail).toMatch(/^exit code 0 in \d+ ms$/);
    const [line, ...variables] = String(observed['output']).trim().split('\n');
    expect(line).toMatch(/^\$HOME; echo x\|two words\|/);
    const names = [line?.split('|').at(-1), ...variables].map((each) => each?.split('=')[0]);
    expect(names).toEqual(expect.arrayContaining(['PATH', 'DRILL', 'SWITCHBACK_RUN', 'SWITCHBACK_STEP']));
    expect(variables.join('\n')).toContain('SWITCHBACK_ADDRESSES={"web":"10.1.2.3"}');
    expect(names).not.toContain('OF_THE_WORKER');
  });

  test('that ends badly is told with its exit code and its last words', async () => {
    const program = await rig.program('fails', ['echo first', 'echo "no such zone" >&2', 'exit 3']);
    await expect(run([program])).rejects.toMatchObject({
      code: 'DR_STEP_FAILED',
      context: { step: 'the-step', action: 'command', observed: 'exit code 3: no such zone' },
    });
  });

  test('shows the end of a long output, bounded', async () => {
    const program = await rig.program('talks', [
      'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done',
    ]);
    const { observed } = await run([program]);
    expect(Buffer.byteLength(String(observed['output']))).toBeLessThanOrEqual(4_096);
    expect(observed['output']).toMatch(/line 2999\n$/);
  });

  test('reads a secret from its environment and shows it nowhere, not even cut in half', async () => {
    const program = await rig.program('tells', [
      'i=0; while [ $i -lt 400 ]; do printf "%s" "$TOKEN"; i=$((i+1)); done',
      'echo "$TOKEN" >&2',
      'exit "$1"',
    ]);
    const secrets = { TOKEN: 'token' };
    const { observed } = await run([program, '0'], { secrets });
    expect(String(observed['output'])).toMatch(/•••$/);
    const error: unknown = await run([program, '1'], { secrets }).catch((error: unknown) => error);
    for (const seen of [JSON.stringify(observed), JSON.stringify(error), String(error)]) {
      expect(seen).not.toMatch(/horse|battery|staple|correct/);
    }
    expect(error).toMatchObject({ context: { observed: 'exit code 1: •••' } });
  });

  test('that is cancelled ends, with everything it has started', async () => {
    const file = join(rig.folder, 'pid');
    const program = await rig.program('waits', [
      `sleep 600 & echo $! > ${file}.new`,
      `mv ${file}.new ${file}`,
      'wait',
    ]);
    const abort = new AbortController();
    const running = runStep(rig.ports, commandOf([program]), { signal: abort.signal });
    const ended = expect(running).rejects.toBeInstanceOf(CancelledFailure);
    const started = identify(
      Number(await waitFor(() => textOf(file), { what: 'the program', withinMs: 5_000, everyMs: 10 })),
    );
    abort.abort(new CancelledFailure('cancelled'));
    await ended;
    await gone(started);
  });
});

describe('what ends', () => {
  const program = (file: string): Program => ({
    file,
    args: [],
    environment: { PATH: '/usr/bin:/bin' },
    timeoutMs: 100,
    graceMs: 50,
    outputBytesMax: 4_096,
    secrets: [],
  });

  test('at its time is its whole group, also what does not heed SIGTERM', async () => {
    const file = await rig.program('stays', [
      "trap '' TERM",
      'sleep 600 & echo $!',
      'sleep 600',
      'sleep 600',
    ]);
    const end = await runProgram(program(file), new AbortController().signal);
    expect(end).toMatchObject({ isTimedOut: true, signal: 'SIGKILL', exitCode: null });
    await gone(identify(Number(end.output)));
  });

  test('before its time leaves nothing running either', async () => {
    const file = await rig.program('leaves', ['sleep 600 & echo $!']);
    const end = await runProgram({ ...program(file), timeoutMs: 10_000 }, new AbortController().signal);
    expect(end).toMatchObject({ isTimedOut: false, exitCode: 0 });
    await gone(identify(Number(end.output)));
  });
});

describe('a command is not carried out', () => {
  const refusal = (reason: RegExp, remedy: RegExp) => ({
    code: 'DR_STEP_REFUSED',
    context: { reason: expect.stringMatching(reason), remedy: expect.stringMatching(remedy) },
  });

  test('where no folder is named, which is so at first', async () => {
    const step = commandOf([await rig.program('any', [])]);
    await expect(runStep({ ...rig.ports, commandFolders: [] }, step)).rejects.toMatchObject(
      refusal(/in no folder/, /steps\.commandFolders.*empty/),
    );
  });

  test('outside the folders, by whatever way', async () => {
    const link = join(rig.programs, 'link');
    await symlink('/bin/sh', link);
    for (const program of [
      '/bin/sh',
      join(rig.programs, '../../bin/sh'),
      link,
      join(rig.programs, 'absent'),
    ]) {
      await expect(run([program])).rejects.toMatchObject(refusal(/in no folder/, /commandFolders/));
    }
    await expect(run(['sh'])).rejects.toMatchObject(refusal(/no absolute path/, /absolute path/));
  });

  test('when anybody could have changed the program, or nobody may execute it', async () => {
    const file = await rig.program('shared', []);
    await chmod(file, 0o757);
    await expect(run([file])).rejects.toMatchObject(refusal(/everybody may change/, /chmod o-w/));
    await chmod(file, 0o644);
    await expect(run([file])).rejects.toMatchObject(refusal(/may not be executed/, /chmod u\+x/));
  });

  test('when the plan would load code of its own into it', async () => {
    const file = await rig.program('plain', []);
    for (const variable of ['LD_PRELOAD', 'PATH', 'NODE_OPTIONS', 'BASH_ENV']) {
      await expect(run([file], { environment: { [variable]: 'x' } })).rejects.toMatchObject(
        refusal(new RegExp(variable), /plan/),
      );
    }
  });

  test('when a secret is not there, or others may read it', async () => {
    const file = await rig.program('needs', []);
    await rig.secret('open', 'x', 0o644);
    await expect(run([file], { secrets: { A: 'absent' } })).rejects.toMatchObject({
      code: 'DR_SECRET_UNKNOWN',
      context: { secret: 'absent', file: join(rig.folder, 'secrets', 'absent') },
    });
    await expect(run([file], { secrets: { A: 'open' } })).rejects.toMatchObject({
      code: 'DR_SECRET_UNKNOWN',
      context: { reason: 'others may read its file (mode 0644)' },
    });
    await expect(run([file], { secrets: { A: '../programs/needs' } })).rejects.toMatchObject({
      code: 'DR_SECRET_UNKNOWN',
      context: { reason: expect.stringMatching(/lower-case/) },
    });
  });
});

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}
