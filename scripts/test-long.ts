/**
 * `npm run test:long [-- --sample] [-- --seed N] [-- jest arguments]`: the suites that take minutes each. With `--sample` one of them,
 * drawn by a seed that is printed: what `.ci/run` takes.
 */
import { glob } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { installMissing, referees } from '../lab/tools/debian.ts';
import { temporalBinary } from '../lab/tools/temporal.ts';
import { vcenterBinary } from '../lab/tools/vcenter.ts';
import { run, tell } from './run.ts';

const { values, positionals } = parseArgs({
  options: {
    sample: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
  },
  allowPositionals: true,
});

const jest = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
  '--config',
  'jest.long.config.mjs',
];

try {
  await Promise.all([temporalBinary(), vcenterBinary(), installMissing(referees)]);
  process.exitCode = await run(process.execPath, [...jest, ...(await chosen())]);
} catch (error) {
  tell(error);
  process.exitCode = 1;
}

async function chosen(): Promise<readonly string[]> {
  if (!values.sample) return positionals;
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('--seed takes a whole number');
  const suites = (await Array.fromAsync(glob('test/**/*.long.test.ts'))).toSorted((a, b) =>
    a.localeCompare(b),
  );
  const suite = suites[seed % suites.length];
  if (suite === undefined) throw new Error('there is no long suite');
  console.log(`sample of the long tests: ${suite} (seed ${seed})`);
  return [suite];
}
