/** The last page: are the bytes right, what was reached, where did the time go. */
import type { Job, Task } from '../../api/jobs.ts';
import type { DiskVerdict } from '../verdict.ts';
import { megabytes, paint, seconds } from './screen.ts';
import { item, job, jobIds, MACHINE, resultOf, type Proven, type Stage, type Totals } from './story.ts';

interface Runs {
  readonly drilled: Proven;
  readonly failedOver: Proven & { readonly deltas: Totals };
}

const RANGES_SHOWN = 5;

/** True when every Azure disk holds exactly what its source held, and the source is off. */
export async function conclude(stage: Stage, { drilled, failedOver }: Runs): Promise<boolean> {
  const { lab, screen, cli } = stage;
  const equal = [...judged(stage, 'test failover', drilled), ...judged(stage, 'failover', failedOver)].every(
    (disk) => disk.equal,
  );
  const source = await lab.guest.machine(MACHINE);
  const isOff = source.powerState === 'poweredOff';
  const { activeLocation, state } = await item(cli);
  screen.line('');
  screen.table([
    ['source', isOff ? paint('green', 'off') : paint('red', 'still on')],
    ['item', `${state}, runs in ${activeLocation}`],
    ['RPO', await rpo(stage, failedOver)],
    ['RTO', `${seconds(failedOver.result.rtoSeconds)}, from the request to the running machine`],
    ['drill', `${seconds(drilled.result.rtoSeconds)} to the running copy`],
  ]);
  await traffic(stage, failedOver.deltas);
  await timeSpent(stage);
  const proven = equal && isOff;
  screen.line('');
  screen.line(
    proven
      ? paint(['green', 'bold'], 'Proven: every disk in Azure equals its source at that point.')
      : paint(['red', 'bold'], 'Not proven: see above.'),
  );
  return proven;
}

function judged({ screen }: Stage, run: string, { result, disks }: Proven): readonly DiskVerdict[] {
  screen.line(`   ${run}, point ${result.point.pointId}, source snapshot ${result.point.snapshotName}`);
  for (const disk of disks) {
    const mark = disk.equal ? paint('green', '✓ equal') : paint('red', '✗ different');
    const hashes = disk.equal
      ? `SHA-256 ${disk.azureSha256}`
      : `source ${disk.sourceSha256}, Azure ${disk.azureSha256}`;
    screen.line(`     ${mark}  disk ${disk.deviceKey}  ${megabytes(disk.bytes)}  ${hashes}`);
    for (const { offset, length } of disk.differing.slice(0, RANGES_SHOWN)) {
      screen.line(`       differs at ${offset}, ${length} bytes`);
    }
    const more = disk.differing.length - RANGES_SHOWN;
    if (more > 0) screen.line(`       and ${more} more ranges`);
  }
  return disks;
}

/** Nothing was lost when the disks of the source, switched off as it is, equal those in Azure. */
async function rpo({ lab }: Stage, { result, disks }: Proven): Promise<string> {
  const now = await Promise.all(
    disks.map(({ deviceKey, bytes }) => lab.guest.hash({ machine: MACHINE, deviceKey, padToBytes: bytes })),
  );
  const nothingLost = now.every(({ sha256 }, index) => sha256 === disks[index]?.azureSha256);
  return nothingLost
    ? '0 s: the disks of the source, as it was switched off, are equal too'
    : `${seconds(result.rpoSeconds)}: the source wrote after the point`;
}

async function traffic({ screen, cli }: Stage, deltas: Totals): Promise<void> {
  const initial = await resultOf<Totals>(cli, jobIds.protect);
  screen.line('');
  screen.table([
    ['', 'cycles', 'read', 'sent', 'ratio'],
    trafficRow('initial replication', initial),
    trafficRow('deltas until the failover', deltas),
  ]);
}

function trafficRow(name: string, { cycles, readBytes, rawBytes, wireBytes }: Totals): string[] {
  const ratio = wireBytes === 0 ? '' : `${(rawBytes / wireBytes).toFixed(1)} : 1`;
  return [name, String(cycles), megabytes(readBytes), megabytes(wireBytes), ratio];
}

async function timeSpent({ screen, cli }: Stage): Promise<void> {
  const jobs = await Promise.all(Object.values(jobIds).map((id) => job(cli, id)));
  screen.line('\n   Where the time went');
  screen.table(
    jobs.flatMap((each) => [row(each, each.kind), ...each.tasks.map((task) => row(task, `  ${task.name}`))]),
  );
}

function row(part: Pick<Job | Task, 'startedAt' | 'endedAt'>, name: string): string[] {
  const { startedAt, endedAt } = part;
  if (startedAt === undefined || endedAt === undefined) return [name, ''];
  return [name, seconds((Date.parse(endedAt) - Date.parse(startedAt)) / 1000).padStart(8)];
}
