/**
 * `npm run test:postgres`: PostgreSQL under pgbench on a replicated machine. Every recovery point taken is mounted on its own
 * copy: e2fsck, recovery, books, markers; and copies with a record left out or out of order must be noticed.
 *
 *   --minutes N    pgbench works at least so long (default 1)
 *   --points N     recovery points at least (default 8)
 *   --trials N     tries of each kind of sabotage (default 4)
 *   --seed N       repeat the choices of a run (default: random, printed)
 *   --sample       three points, one trial of each kind, no drill: what .ci/run takes
 */
import { fileURLToPath } from 'node:url';
import { temporalBinary } from '../lab/tools/temporal.ts';
import { vcenterBinary } from '../lab/tools/vcenter.ts';
import { runIsolated } from './postgres/isolation.ts';
import { parseAsked, wordsOf } from './postgres/options.ts';
import { findTools } from './postgres/tools.ts';
import { tell } from './run.ts';

const proof = fileURLToPath(new URL('postgres/proof.ts', import.meta.url));

try {
  const asked = parseAsked(process.argv.slice(2));
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    throw new Error('a database run mounts disks: it needs Linux and root');
  }
  await findTools();
  await Promise.all([temporalBinary(), vcenterBinary()]);
  process.exitCode = await runIsolated(proof, wordsOf(asked));
} catch (error) {
  tell(error);
  process.exitCode = 1;
}
