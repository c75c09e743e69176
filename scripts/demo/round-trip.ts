/**
 * The round trip: protect → drill → failover → commit → writes in Azure → reprotect → failback → commit → re-enable,
 * as often as asked, with the guest writing on whichever side is live. At each crossing both sides are hashed by the
 * practice ground; what travelled stands beside what really changed and what a full copy would have cost.
 */
import { asId, type ProtectedItemId } from '../../domain/ids.ts';
import { safetySnapshotPrefix } from '../../domain/names.ts';
import type { FailoverResult } from '../../workflows/contracts/types.ts';
import { waitFor } from '../../lab/wait.ts';
import {
  changedBytes,
  imageAtHome,
  imageInAzure,
  isSameImage,
  usedBytes,
  type DiskImage,
} from './measure.ts';
import { megabytes, paint } from './screen.ts';
import { item, job, MACHINE, resultOf, type Stage } from './story.ts';

const AZURE_BYTES_PER_SECOND = 4 * 2 ** 20;
const AZURE_BLOCK_BYTES = 64 * 2 ** 10;
const AZURE_BYTES_MIN = 24 * 2 ** 20;
const HOME_BYTES_PER_SECOND = 2 ** 20;
const HOME_BYTES_MIN = 6 * 2 ** 20;
/** What may travel for each byte that changed, on the way home and when replication is re-enabled. */
const TRAVEL_RATIO_MAX = 1.3;

export interface Crossing {
  readonly name: string;
  readonly equal: boolean;
  readonly sha256: readonly string[];
}

export interface Travel {
  readonly name: string;
  readonly changedBytes: number;
  readonly wireBytes: number;
  /** Of a copy of everything that is not empty. */
  readonly fullBytes: number;
}

export interface Round {
  readonly crossings: readonly Crossing[];
  readonly travels: readonly Travel[];
  readonly jobIds: readonly string[];
}

/** From protected to protected again. */
export async function roundTrip(stage: Stage, round: number): Promise<Round> {
  const ids = {
    failover: `demo-failover-${round}`,
    commit: `demo-commit-${round}`,
    reprotect: `demo-reprotect-${round}`,
    failback: `demo-failback-${round}`,
    commitFailback: `demo-commit-failback-${round}`,
    reEnable: `demo-re-enable-${round}`,
  };
  const gone = await goToAzure(stage, round, ids);
  const home = await comeHome(stage, round, ids, gone);
  const again = await protectAgain(stage, round, ids, { replica: gone.image });
  return {
    crossings: [gone.crossing, home.crossing],
    travels: [home.travel, again],
    jobIds: Object.values(ids),
  };
}

type JobIds = Readonly<
  Record<'failover' | 'commit' | 'reprotect' | 'failback' | 'commitFailback' | 'reEnable', string>
>;

async function goToAzure({ lab, screen, cli }: Stage, round: number, ids: JobIds) {
  screen.section(`Round ${round}: failover to Azure, point latest`);
  await cli.run(`item failover ${MACHINE}`, {
    point: 'latest',
    yes: true,
    'operation-id': ids.failover,
    wait: true,
  });
  await lab.guest.stopWorkload(MACHINE);
  const result = await resultOf<FailoverResult>(cli, ids.failover);
  const image = await imageInAzure(lab.azure, result.diskIds);
  const source = await imageAtHome(lab.guest, MACHINE, await homeDisks({ lab, cli }, result));
  const crossing = crossed(`round ${round}, site → Azure`, source, image);
  tell({ screen }, crossing);
  await cli.run(`item commit ${MACHINE}`, { yes: true, 'operation-id': ids.commit, wait: true });
  return { result, image, crossing };
}

/** The guest writes some MiB and is quiet again. */
async function writeInAzure({ lab, screen }: Pick<Stage, 'lab' | 'screen'>, machine: string, more: number) {
  await lab.azure.startWorkload({
    machine,
    seed: lab.seed + more,
    bytesPerSecond: AZURE_BYTES_PER_SECOND,
    blockBytes: AZURE_BLOCK_BYTES,
  });
  await waitFor(async () => (await lab.azure.workload(machine)).bytes >= AZURE_BYTES_MIN, {
    what: 'the guest to write in Azure',
    withinMs: 120_000,
    everyMs: 250,
  });
  const { bytes } = await lab.azure.stopWorkload(machine);
  screen.note(`the guest wrote ${megabytes(bytes)} in Azure`);
}

async function comeHome(
  stage: Stage,
  round: number,
  ids: JobIds,
  gone: { readonly result: FailoverResult; readonly image: DiskImage },
) {
  const { lab, screen, cli } = stage;
  const { vmId, diskIds, runId } = gone.result;
  await writeInAzure(stage, vmId, 100 * round);
  const written = await imageInAzure(lab.azure, diskIds);
  screen.section(`Round ${round}: reprotect, at the original location`);
  await cli.run(`item check ${MACHINE}`, { operation: 'reprotect' });
  await cli.run(`item reprotect ${MACHINE}`, { yes: true, 'operation-id': ids.reprotect, wait: true });
  const reprotected = await resultOf<{ wireBytes: number }>(cli, ids.reprotect);
  await cli.run(`item show ${MACHINE}`);
  await writeInAzure(stage, vmId, 100 * round + 1);

  screen.section(`Round ${round}: failback to the site`);
  await cli.run(`item failback ${MACHINE}`, { yes: true, 'operation-id': ids.failback, wait: true });
  const crossing = await crossedHome(stage, round, gone.result);
  tell({ screen }, crossing);
  await cli.run(`item commit ${MACHINE}`, { yes: true, 'operation-id': ids.commitFailback, wait: true });
  const left = (await lab.azure.resources()).filter(({ tags }) => Object.values(tags).includes(runId));
  if (left.length > 0) throw new Error(`left in Azure: ${left.map(({ id }) => id).join(', ')}`);
  screen.note('Azure lists nothing of the failover any more');
  const travel: Travel = {
    name: `round ${round}, reprotect at the original location`,
    changedBytes: changedBytes(gone.image, written),
    wireBytes: reprotected.wireBytes,
    fullBytes: usedBytes(written),
  };
  return { crossing, travel };
}

/** The machine runs at home already: what it started from is its safety snapshot. */
async function crossedHome({ lab, cli }: Stage, round: number, result: FailoverResult): Promise<Crossing> {
  const { itemId, home } = await item(cli);
  const prefix = safetySnapshotPrefix(asId<ProtectedItemId>(itemId), home?.generation ?? round);
  const { snapshots } = await lab.guest.machine(MACHINE);
  const snapshot = snapshots.find(({ name }) => name.startsWith(prefix))?.name;
  if (snapshot === undefined) throw new Error(`${MACHINE} has no snapshot ${prefix}…`);
  const inAzure = await imageInAzure(lab.azure, result.diskIds);
  const disks = await homeDisks({ lab, cli }, result);
  const atHome = await imageAtHome(lab.guest, MACHINE, disks, snapshot);
  return crossed(`round ${round}, Azure → site`, inAzure, atHome);
}

async function protectAgain(
  { lab, screen, cli }: Stage,
  round: number,
  ids: JobIds,
  { replica }: { readonly replica: DiskImage },
): Promise<Travel> {
  screen.section(`Round ${round}: re-enable replication to Azure, by comparing`);
  const workload = { machine: MACHINE, seed: lab.seed + round, bytesPerSecond: HOME_BYTES_PER_SECOND };
  await lab.guest.startWorkload(workload);
  await waitFor(async () => (await lab.guest.workload(MACHINE)).bytes >= HOME_BYTES_MIN, {
    what: 'the guest to write at home',
    withinMs: 120_000,
    everyMs: 500,
  });
  await cli.run(`item re-enable ${MACHINE}`, { 'operation-id': ids.reEnable, wait: true });
  const { wireBytes, pointId } = await resultOf<{ wireBytes: number; pointId: string }>(cli, ids.reEnable);
  const points = await cli.read<readonly { pointId: string; snapshotName: string }[]>(
    `item points ${MACHINE}`,
  );
  const point = points.find((each) => each.pointId === pointId);
  if (point === undefined) throw new Error(`the point of ${ids.reEnable} is not listed`);
  const { spec } = await item(cli);
  const padTo = replica.map(({ blocks }) => blocks.length * 4096);
  const disks = (spec?.disks ?? []).map(({ deviceKey }, i) => ({ deviceKey, padToBytes: padTo[i] ?? 0 }));
  const now = await imageAtHome(lab.guest, MACHINE, disks, point.snapshotName);
  return {
    name: `round ${round}, re-enable`,
    changedBytes: changedBytes(replica, now),
    wireBytes,
    fullBytes: usedBytes(now),
  };
}

async function homeDisks({ lab, cli }: Pick<Stage, 'lab' | 'cli'>, result: FailoverResult) {
  const { spec } = await item(cli);
  const bytes = await Promise.all(result.diskIds.map(async (id) => (await lab.azure.hash(id)).bytes));
  return (spec?.disks ?? []).map(({ deviceKey }, i) => ({ deviceKey, padToBytes: bytes[i] ?? 0 }));
}

function crossed(name: string, from: DiskImage, to: DiskImage): Crossing {
  return { name, equal: isSameImage(from, to), sha256: to.map((disk) => disk.sha256) };
}

function tell({ screen }: Pick<Stage, 'screen'>, { name, equal, sha256 }: Crossing): void {
  const mark = equal ? paint('green', '✓ equal') : paint('red', '✗ different');
  screen.line(`   ${mark}  ${name}`);
  for (const each of sha256) screen.line(`             SHA-256 ${each}`);
  screen.line('');
}

/** True when every crossing kept every byte and what should be cheap was. */
export async function concludeRounds({ screen, cli }: Stage, rounds: readonly Round[]): Promise<boolean> {
  const crossings = rounds.flatMap((round) => round.crossings);
  const travels = rounds.flatMap((round) => round.travels);
  screen.table([
    ['', 'changed', 'travelled', 'ratio', 'a full copy'],
    ...travels.map((each) => [
      each.name,
      megabytes(each.changedBytes),
      megabytes(each.wireBytes),
      ratioOf(each).toFixed(2),
      megabytes(each.fullBytes),
    ]),
  ]);
  screen.line('\n   Where the time went');
  screen.table(await timeline(cli, rounds));
  const equal = crossings.every((each) => each.equal);
  const cheap = travels.every((each) => ratioOf(each) <= TRAVEL_RATIO_MAX);
  screen.line('');
  screen.line(
    equal && cheap
      ? paint(['green', 'bold'], `Proven: ${crossings.length} crossings, every disk equal at each.`)
      : paint(['red', 'bold'], equal ? 'More travelled than asked: see above.' : 'Not proven: see above.'),
  );
  return equal && cheap;
}

function ratioOf({ wireBytes, changedBytes: changed }: Travel): number {
  return changed === 0 ? 0 : wireBytes / changed;
}

async function timeline(cli: Stage['cli'], rounds: readonly Round[]): Promise<string[][]> {
  const jobs = await Promise.all(rounds.flatMap((round) => round.jobIds).map((id) => job(cli, id)));
  return jobs.map(({ id, kind, startedAt, endedAt }) => {
    const seconds = endedAt === undefined ? NaN : (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
    return [kind, id, startedAt, `${seconds.toFixed(1)} s`.padStart(8)];
  });
}
