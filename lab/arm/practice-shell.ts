export interface ShellRun {
  readonly exitCode: number;
  readonly output: string;
  readonly error: string;
  /** How long it takes. */
  readonly ms: number;
}

/** As Azure keeps of a managed run command. */
const OUTPUT_LENGTH_MAX = 4_096;

/** What the guest of a practice machine makes of a script: `echo`, `sleep` and `exit`; nothing is run on this host. */
export function runScript(script: string): ShellRun {
  const said: string[] = [];
  let ms = 0;
  for (const line of script.split('\n')) {
    const [word = '', ...rest] = line.trim().split(/\s+/);
    const text = rest.join(' ');
    if (word === 'echo') said.push(text);
    else if (word === 'sleep') ms += (Number(text) || 0) * 1_000;
    else if (word === 'exit') return { ...ended(said, ms), exitCode: Number(text) || 0 };
    else if (word !== '' && !word.startsWith('#')) {
      return { ...ended(said, ms), exitCode: 127, error: `${word}: not found` };
    }
  }
  return ended(said, ms);
}

function ended(said: readonly string[], ms: number): ShellRun {
  const output = said.map((line) => `${line}\n`).join('');
  return { exitCode: 0, output: output.slice(-OUTPUT_LENGTH_MAX), error: '', ms };
}
