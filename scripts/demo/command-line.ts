/** The demo's only way to the product: `switchback …`, printed before it runs, so that a reader can repeat it by hand. */
import { spawn } from 'node:child_process';
import { runCli } from '../../lab/cli.ts';
import type { LabPaths } from '../../lab/folder.ts';
import { productEnvironment, switchbackProgram } from '../../lab/processes/product.ts';
import type { Screen } from './screen.ts';

type Options = Readonly<Record<string, string | true>>;

export class CommandLine {
  readonly #paths: LabPaths;
  readonly #screen: Screen;
  readonly #signal: AbortSignal;

  /** Aborting ends the command that runs. */
  constructor(paths: LabPaths, screen: Screen, signal: AbortSignal) {
    this.#paths = paths;
    this.#screen = screen;
    this.#signal = signal;
  }

  /** Runs with its output on the demo's own terminal. @throws Error when it ends with another exit code */
  async run(words: string, options: Options = {}, exitCode = 0): Promise<void> {
    this.#screen.command(commandText(words, options));
    const args = [...words.split(' '), ...flags(options)];
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(process.execPath, [switchbackProgram, ...args], {
        env: { ...productEnvironment(), SWITCHBACK_PROFILE: this.#paths.profile },
        stdio: ['ignore', 'inherit', 'inherit'],
        signal: this.#signal,
      });
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== exitCode) throw new Error(`switchback ${words} ended with exit code ${code}`);
    this.#screen.line('');
  }

  /** Reads facts for the demo itself; nothing is printed. */
  async read<T>(words: string): Promise<T> {
    const args = [...words.split(' '), '--output', 'json'];
    const { exitCode, stdout, stderr } = await runCli(this.#paths, args, { signal: this.#signal });
    if (exitCode !== 0) throw new Error(`switchback ${words}: exit code ${exitCode}\n${stderr}`);
    return JSON.parse(stdout) as T;
  }
}

/** The command as it is typed. */
export function commandText(words: string, options: Options = {}): string {
  return ['switchback', words, ...flags(options).map(quoted)].join(' ');
}

/** `{ point: 'latest', yes: true }` → `--point latest --yes`. */
function flags(options: Options): string[] {
  return Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  );
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument}'`;
}
