/**
 * A database run, in a mount namespace of its own: pgbench works on the disks of a practice machine while Switchback
 * replicates it; then every recovery point is mounted on copies and has to hold, and spoilt copies must not.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openItemKey } from '../../dataplane/keys.ts';
import { asId, type ProtectedItemId } from '../../domain/ids.ts';
import { startPractice, type Practice } from '../../test/support/harness.ts';
import { seededRandom } from '../../test/support/random.ts';
import { vaultKey, vaultStorage } from '../../workers/ports.ts';
import { tell as tellError } from '../run.ts';
import { control, isFaithful, refusedByProduct, type ControlOptions } from './control.ts';
import { startGuest, type Guest } from './guest.ts';
import { containerOf } from './images.ts';
import { parseAsked, type Asked } from './options.ts';
import { examinePoints } from './points.ts';
import { diskIdsOf, drill, pauseReplication, pointsUnderLoad, protect, type Drilled } from './replication.ts';
import { conclusion, headOfPoints, holds, lineOfPoint, lineOfTrial, type Outcome } from './report.ts';
import { KeptStream } from './stream.ts';
import { findTools } from './tools.ts';
import { Undo } from './undo.ts';

const MACHINE = 'bank-01';
const DATA_MIB = 320;
const WAL_MIB = 128;

const startedAt = Date.now();
const tell = (line: string) => void process.stdout.write(`${line}\n`);
/** With the time since the start. */
const announce = (what: string) =>
  tell(`${((Date.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${what}`);
const undo = new Undo();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());

try {
  const proof = prove(parseAsked(process.argv.slice(2)));
  // After an interruption it fails in the middle of something; nobody listens any more.
  proof.catch(() => undefined);
  const outcome = await Promise.race([proof, interruption()]);
  tell(conclusion(outcome));
  process.exitCode = holds(outcome) ? 0 : 1;
} catch (error) {
  tellError(error);
  process.exitCode = 1;
} finally {
  for (const failure of await undo.all()) tell(`not taken down: ${failure}`);
}
process.exit();

async function prove(asked: Asked): Promise<Outcome> {
  const random = seededRandom('database run', String(asked.seed));
  const tools = await findTools();
  const machines = [{ name: MACHINE, poweredOn: true, disks: [{ mib: DATA_MIB }, { mib: WAL_MIB }] }];
  const practice = await startPractice({ seed: asked.seed, machines });
  undo.add('the practice ground', () => practice.stop());
  announce('the practice ground runs');
  const guest = await startGuest({
    controls: practice.lab.guest,
    machine: MACHINE,
    folder: await folderFor('guest'),
    tools,
    undo,
  });
  announce(`pgbench works on ${MACHINE}`);
  const { flow, stream, drilled, points, checkpoints } = await replicated(practice, guest, asked);
  const diskIds = await diskIdsOf(flow);
  announce('replication is paused, every point is examined');
  tell(headOfPoints);
  const examined = await examinePoints(points, {
    tools,
    container: await containerOf(await practice.configuration()),
    guest: practice.lab.guest,
    machine: MACHINE,
    diskIds,
    markers: guest.markers,
    drilled,
    folder: await folderFor('points'),
    onPoint: (point) => tell(lineOfPoint(point)),
  });
  announce('negative control');
  const [tables, log] = diskIds;
  if (tables === undefined || log === undefined) throw new Error(`${diskIds.length} disks are protected`);
  const options: ControlOptions = {
    tools,
    points: examined.filter(({ problems }) => problems.length === 0),
    stream,
    diskIds: [tables, log],
    trials: asked.trials,
    random,
    folder: await folderFor('control'),
    onTrial: (trial) => tell(lineOfTrial(trial)),
  };
  return {
    seed: asked.seed,
    points: examined,
    checkpoints,
    drilled: drilled?.pointId ?? null,
    isFaithful: await isFaithful(options),
    refusals: await refusedByProduct(options),
    trials: await control(options),
  };
}

/** From the first copy to the pause, with the database at work all the time. */
async function replicated(practice: Practice, guest: Guest, { minutes, points, isSample }: Asked) {
  const untilMs = Date.now() + minutes * 60_000;
  const flow = await protect(practice, MACHINE);
  const config = await practice.configuration();
  const storage = await vaultStorage(config);
  const item = asId<ProtectedItemId>((await flow.item()).itemId);
  const key = await openItemKey(storage, await vaultKey(config), item);
  const stream = new KeptStream({ storage, item, key, folder: await folderFor('stream') });
  undo.add('the stream', () => stream.stop());
  await pointsUnderLoad(flow, { points, untilMs }, ({ pointId, sourceTime }) =>
    announce(`point ${pointId} of ${sourceTime}`),
  );
  const drilled: Drilled | null = isSample ? null : await drill(flow);
  const made = await pauseReplication(flow);
  const checkpoints = await guest.checkpoints();
  await guest.stop();
  await stream.stop();
  return { flow, stream, drilled, points: made, checkpoints };
}

/** Other users may pass through it. */
async function folderFor(name: string): Promise<string> {
  const folder = join(tmpdir(), name);
  await mkdir(folder);
  await chmod(folder, 0o711);
  return folder;
}

function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    interrupted.signal.addEventListener('abort', () => reject(new Error('Interrupted.')), { once: true });
  });
}
