/**
 * `npm run bench:site`: one plan over many machines, with everything real that the practice ground has: VMware's simulator
 * with disks and changed-block tracking, Azurite, the practice Azure, Temporal, and the product as separate processes.
 * All machines are protected, then the plan drills and cleans up. Prints what it took; see docs/bench.md.
 *
 *   --machines N   default 100
 *   --groups N     of the plan, each after the one before (default 5)
 *   --seed N       of the disks
 */
import { parseArgs } from 'node:util';
import { planText, quotas, siteMachines } from './site/estate.ts';
import { measure } from './site/measure.ts';
import { printed } from './site/printed.ts';
import { startPractice } from '../test/support/harness.ts';

const { values } = parseArgs({
  options: {
    machines: { type: 'string', default: '100' },
    groups: { type: 'string', default: '5' },
    seed: { type: 'string', default: '7' },
  },
});

try {
  const [machines, groups, seed] = [
    wholeNumber('machines', values.machines),
    wholeNumber('groups', values.groups),
    wholeNumber('seed', values.seed),
  ];
  const names = siteMachines(machines);
  const practice = await startPractice({
    seed,
    machines: names.map((name) => ({ name, poweredOn: true, disks: [{ mib: 4 }] })),
  });
  try {
    await practice.lab.azure.client.post('/_lab/settings', { quotas: quotas(machines) });
    const figures = await measure(practice, { names, plan: planText(names, groups) });
    process.stdout.write(`${printed({ machines, groups, seed }, figures)}\n`);
    process.exitCode = figures.problems.length === 0 ? 0 : 1;
  } finally {
    await practice.stop();
  }
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${option} takes a whole number, not "${text}"`);
}
