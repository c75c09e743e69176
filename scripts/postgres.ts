/**
 * `npm run test:postgres`: PostgreSQL under pgbench on a replicated machine. Every recovery point taken is mounted on its own
 * copy: e2fsck, recovery, books, markers; and copies with a record left out or out of order must be noticed.
 *
 *   --minutes N    pgbench works at least so long (default 1)
 *   --points N     recovery points at least (default 8)
 *   --trials N     tries of each kind of sabotage (default 4)
 *   --seed N       repeat the choices of a run (default: random, printed)
 *   --sample       four points, one trial of each kind, no drill; left out where it cannot run
 */
import { fileURLToPath } from 'node:url';
import { temporalBinary } from '../lab/tools/temporal.ts';
import { vcenterBinary } from '../lab/tools/vcenter.ts';
import { runIsolated } from './postgres/isolation.ts';
import { obstacle } from './postgres/obstacle.ts';
import { parseAsked, wordsOf } from './postgres/options.ts';
import { tell } from './run.ts';

const proof = fileURLToPath(new URL('postgres/proof.ts', import.meta.url));

try {
  process.exitCode = await start();
} catch (error) {
  tell(error);
  process.exitCode = 1;
}

async function start(): Promise<number> {
  const asked = parseAsked(process.argv.slice(2));
  const inTheWay = await obstacle();
  if (inTheWay !== null) {
    process.stdout.write(`a database run cannot be here: ${inTheWay}\n`);
    return asked.isSample ? 0 : 1;
  }
  await Promise.all([temporalBinary(), vcenterBinary()]);
  return runIsolated(proof, wordsOf(asked));
}
