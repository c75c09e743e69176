/** The product's part of a run, as an operator takes it: protect, points, a drill, pause. */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { RecoveryPointView } from '../../api/replication.ts';
import type { DiskId } from '../../domain/ids.ts';
import { Flow } from '../../test/e2e/support/flow.ts';
import type { Practice } from '../../test/support/harness.ts';
import { waitFor } from '../../lab/wait.ts';
import type { FailoverResult } from '../../workflows/contracts/types.ts';

const INTERVAL_SECONDS = 5;
const POINT_WITHIN_MS = 180_000;
const LOOK_EVERY_MS = 500;

/** Resolves when the first copy is done and deltas follow. */
export async function protect(practice: Practice, machine: string): Promise<Flow> {
  const flow = new Flow(practice, machine);
  await flow.addVCenter();
  await flow.must('policy', 'create', 'database', '--interval', `${INTERVAL_SECONDS}s`, '--retention', '1h');
  await flow.succeeds(await flow.protect('database'));
  return flow;
}

/** In the order of the machine's disks. */
export async function diskIdsOf(flow: Flow): Promise<DiskId[]> {
  const { spec } = await flow.item();
  const disks = [...(spec?.disks ?? [])].sort((a, b) => a.index - b.index);
  return disks.map(({ diskId }) => diskId as DiskId);
}

/** Waits until there are so many points and so much time has passed; tells of each point once, the oldest first. */
export async function pointsUnderLoad(
  flow: Flow,
  wanted: { readonly points: number; readonly untilMs: number },
  onPoint: (point: RecoveryPointView) => void,
): Promise<void> {
  const told = new Set<string>();
  for (;;) {
    const seen = await waitFor(
      async () => {
        const points = await flow.points();
        return points.some(({ pointId }) => !told.has(pointId)) && points;
      },
      { what: 'another recovery point', withinMs: POINT_WITHIN_MS, everyMs: LOOK_EVERY_MS },
    );
    for (const point of seen.toReversed().filter(({ pointId }) => !told.has(pointId))) {
      told.add(point.pointId);
      onPoint(point);
    }
    if (told.size >= wanted.points && Date.now() >= wanted.untilMs) return;
    await pause(LOOK_EVERY_MS);
  }
}

export interface Drilled {
  readonly pointId: string;
  /** SHA-256 of the disks that the machine in Azure ran on, in order, as the practice Azure hashes them. */
  readonly sha256: readonly string[];
}

/** A test failover to the newest point but one, and its cleanup, while replication goes on. */
export async function drill(flow: Flow): Promise<Drilled> {
  const { practice, machine } = flow;
  const { azure, addresses } = practice.lab;
  const [, point] = await flow.points();
  assert.ok(point !== undefined, 'a drill needs two points');
  const words = ['--subnet', addresses.isolatedSubnetId, '--point', point.pointId];
  const job = await flow.succeeds(await flow.start('item', 'test-failover', machine, ...words));
  const result = job.result as unknown as FailoverResult;
  assert.equal(result.point.pointId, point.pointId);
  const hashes = await Promise.all(result.diskIds.map((id) => azure.hash(id)));
  await flow.succeeds(await flow.start('item', 'cleanup', machine, '--notes', 'the books balance'));
  assert.deepEqual(await practice.resourcesOfRuns(result.runId), []);
  return { pointId: point.pointId, sha256: hashes.map(({ sha256 }) => sha256) };
}

/** From here on no point is made. Answers all there are, the oldest first. */
export async function pauseReplication(flow: Flow): Promise<RecoveryPointView[]> {
  await flow.succeeds(await flow.start('item', 'pause', flow.machine));
  return (await flow.points()).toReversed();
}
