/** `npm test [-- jest arguments]`: makes the lab's tools once, then runs Jest, which ends with `N passed, N failed`. */
import { temporalBinary } from '../lab/tools/temporal.ts';
import { vcenterBinary } from '../lab/tools/vcenter.ts';
import { run, tell } from './run.ts';

const jest = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
];

try {
  await Promise.all([temporalBinary(), vcenterBinary()]);
  process.exitCode = await run(process.execPath, [...jest, ...process.argv.slice(2)]);
} catch (error) {
  tell(error);
  process.exitCode = 1;
}
