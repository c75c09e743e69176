import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import type { ProtectedItemId } from '../../domain/ids.ts';
import { waitFor } from '../../lab/wait.ts';
import { workflowBuild, type WorkflowBuild } from '../../workers/bundle.ts';
import { otherBuild, startControlPlane, type ControlPlane } from './support/control-plane.ts';

const WITHIN_MS = 60_000;
let plane: ControlPlane;
/** What the last release ran, and what this one runs: histories of one do not fit the other. */
let [older, present] = [] as unknown as [WorkflowBuild, WorkflowBuild];

beforeAll(async () => {
  plane = await startControlPlane();
  [older, present] = [await otherBuild(plane.folder), await workflowBuild()];
}, 400_000);
afterAll(() => plane.stop(), 60_000);

const until = (what: string, holds: () => boolean | Promise<boolean>) =>
  waitFor(holds, { what, withinMs: WITHIN_MS });
const isCurrent = ({ buildId }: WorkflowBuild) =>
  until(
    `build ${buildId} to be current`,
    async () => (await plane.deployment.current())?.buildId === buildId,
  );
const replicates = (item: ProtectedItemId) =>
  until('the item to replicate', () => plane.site.sessionsOf(item).at(-1)?.what === 'began');
const runsOn = (item: ProtectedItemId, { buildId }: WorkflowBuild, notRun?: string) =>
  until(`the item to run on build ${buildId}`, async () => {
    const run = await plane.run(item);
    return run.buildId === buildId && run.runId !== notRun;
  });

it('takes over the open items of an installation without versions, started while Temporal was down', async () => {
  const before = await plane.startUnversioned(older);
  const item = await plane.protect();
  await replicates(item);
  const { runId, buildId } = await plane.run(item);
  expect(buildId).toBeUndefined();
  await before.stop();

  await plane.stopTemporal();
  const server = await plane.startServer(older, 'appliance');
  await plane.startTemporal();
  await isCurrent(older);
  await runsOn(item, older);
  await replicates(item);
  expect(await plane.failedTasks(item, runId)).toEqual([]);
  await server.stop();
}, 180_000);

it('upgrades under runs that go on: what began on a build ends on it, and nothing replicates less', async () => {
  const first = await plane.startServer(older, 'appliance');
  const idle = await plane.protect();
  await replicates(idle);
  plane.site.holdPoints();
  const busy = await plane.protect();
  await until('an operation to be in the middle', () => plane.site.isHeld);
  const [idleRun, busyRun] = [await plane.run(idle), await plane.run(busy)];
  await first.stop();
  // As a kill in the middle of keeping a bundle leaves it.
  await writeFile(join(plane.folder, 'appliance', `${present.buildId}.js.half.1`), 'half');

  const servers = await Promise.all([
    plane.startServer(present, 'appliance'),
    plane.startServer(present, 'second'),
  ]);
  await isCurrent(present);

  const fresh = await plane.protect();
  await runsOn(fresh, present);
  await runsOn(idle, present, idleRun.runId);
  await replicates(idle);
  expect(await plane.run(busy)).toEqual(busyRun);
  await until('both builds to be kept', async () => (await keptBy(servers[0])).length === 2);

  plane.site.goOn();
  await runsOn(busy, present, busyRun.runId);
  await replicates(busy);
  for (const [item, { runId }] of [
    [idle, idleRun],
    [busy, busyRun],
  ] as const) {
    expect(await plane.failedTasks(item, runId)).toEqual([]);
    expect(await plane.buildsOf(item, runId)).toEqual([older.buildId]);
    expect(await fits(item, runId, older)).toBe(true);
    expect(await fits(item, runId, present)).toBe(false);
  }
  const seen = plane.site.sessionsOf(idle);
  expect(seen.map(({ what }) => what)).toEqual(['began', 'cancelled', 'began']);
  expect(seen[2]?.sessionEpoch).toBeGreaterThan(seen[0]?.sessionEpoch ?? Infinity);
  process.stdout.write(
    `  replication paused ${(seen[2]?.atMs ?? 0) - (seen[1]?.atMs ?? 0)} ms for the move\n`,
  );

  await until('the older build to be dropped', async () => (await keptBy(servers[0])).length === 1);
  expect(await keptBy(servers[0])).toEqual([present.buildId]);
  await Promise.all(servers.map((server) => server.stop()));
}, 180_000);

it('downgrades in the same way, and a server of another build that is only started again does not undo it', async () => {
  const behind = await plane.startServer(present, 'second');
  const item = await plane.protect();
  await runsOn(item, present);
  await replicates(item);
  const { runId } = await plane.run(item);

  const downgraded = await plane.startServer(older, 'appliance');
  await isCurrent(older);
  await runsOn(item, older, runId);
  await replicates(item);
  await behind.stop();
  const again = await plane.startServer(present, 'second');
  await until('the restarted server to serve', async () => await plane.polls(present.buildId));
  expect((await plane.deployment.current())?.buildId).toBe(older.buildId);
  const fresh = await plane.protect();
  await runsOn(fresh, older);
  await Promise.all([again.stop(), downgraded.stop()]);
}, 180_000);

const keptBy = async ({ store }: { store: { list(): Promise<readonly WorkflowBuild[]> } }) =>
  (await store.list()).map(({ buildId }) => buildId);

/** Whether the history of a run can be replayed with a build. */
async function fits(item: ProtectedItemId, runId: string, { file }: WorkflowBuild): Promise<boolean> {
  const options = { workflowBundle: { codePath: file } };
  return Worker.runReplayHistory(options, await plane.history(item, runId)).then(
    () => true,
    () => false,
  );
}
