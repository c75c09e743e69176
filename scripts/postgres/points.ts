/** Takes every recovery point to its own images, compares them with what the source held, and examines copies of them. */
import { join } from 'node:path';
import type { ContainerClient } from '@azure/storage-blob';
import type { RecoveryPointView } from '../../api/replication.ts';
import type { VCenterControls } from '../../lab/controls.ts';
import type { GoodPoint } from './control.ts';
import { examine, type Examined } from './examine.ts';
import { downloadPoint, sha256Of } from './images.ts';
import type { Markers } from './markers.ts';
import type { Drilled } from './replication.ts';
import type { Tools } from './tools.ts';

export interface ExaminedPoint extends Examined, GoodPoint {
  readonly point: RecoveryPointView;
  readonly sha256: readonly string[];
}

export interface PointsOptions {
  readonly tools: Tools;
  readonly container: ContainerClient;
  readonly guest: Pick<VCenterControls, 'hash' | 'frozen' | 'machine'>;
  readonly machine: string;
  /** In the order of the machine's disks. */
  readonly diskIds: readonly string[];
  readonly markers: Pick<Markers, 'acknowledgedBefore'>;
  readonly drilled: Drilled | null;
  readonly folder: string;
  readonly onPoint: (examined: ExaminedPoint) => void;
}

/** The images stay in `folder`. `points` are sorted, the oldest first. */
export async function examinePoints(
  points: readonly RecoveryPointView[],
  options: PointsOptions,
): Promise<ExaminedPoint[]> {
  const done: ExaminedPoint[] = [];
  for (const point of points) {
    const before = done.at(-1)?.books?.transactions ?? 1;
    const examined = await examinePoint(point, before, options);
    done.push(examined);
    options.onPoint(examined);
  }
  return done;
}

async function examinePoint(
  point: RecoveryPointView,
  transactions: number,
  options: PointsOptions,
): Promise<ExaminedPoint> {
  const { tools, container, markers, diskIds } = options;
  const folder = join(options.folder, point.pointId);
  const images = await downloadPoint(container, point, diskIds, folder);
  const sha256 = await Promise.all(images.map(sha256Of));
  const expected = { transactions, marker: markers.acknowledgedBefore(await claimedMs(point, options)) };
  const examined = await examine({ tools, images, expected, folder: join(folder, 'copy') });
  const problems = [...(await differences(point, sha256, options)), ...examined.problems];
  return { ...examined, problems, point, sha256, images, expected, barrierNumber: point.barrierNumber };
}

/** The later of the source's own record of the snapshot and what the product says of the point. */
async function claimedMs(
  { snapshotName, sourceTime }: RecoveryPointView,
  options: PointsOptions,
): Promise<number> {
  const frozen = (await options.guest.frozen(options.machine))
    .filter(({ name }) => name === snapshotName)
    .at(-1);
  if (frozen === undefined) throw new Error(`the source never had a snapshot ${snapshotName}`);
  return Math.max(Date.parse(frozen.takenAt), Date.parse(sourceTime));
}

async function differences(
  { pointId, snapshotName }: RecoveryPointView,
  sha256: readonly string[],
  { guest, machine, drilled }: PointsOptions,
): Promise<string[]> {
  const { disks } = await guest.machine(machine);
  const problems: string[] = [];
  for (const [index, { deviceKey }] of disks.entries()) {
    const source = await guest.hash({ machine, deviceKey, snapshot: snapshotName });
    if (source.sha256 !== sha256[index]) problems.push(`disk ${index} is not what the source held`);
  }
  if (drilled?.pointId === pointId && drilled.sha256.join() !== sha256.join()) {
    problems.push('the drill ran on other bytes');
  }
  return problems;
}
