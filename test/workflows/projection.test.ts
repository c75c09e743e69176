import { expect, it } from '@jest/globals';
import type { Job } from '../../domain/job.ts';
import { inputs } from './support/requests.ts';
import { Rig } from './support/rig.ts';
import { trouble } from './support/scenarios.ts';

/** What the catalogue hears of an item's jobs. */
async function heardBy() {
  const rig = await Rig.protected();
  const heard: Job[] = [];
  rig.world.hear = (job) => void heard.push(job);
  return { rig, heard };
}

it('of a quick run the catalogue hears that it began and how it ended, with every step', async () => {
  const { rig, heard } = await heardBy();
  await rig.run('testFailover', inputs.testFailover);
  const last = heard.at(-1);
  expect(heard[0]).toMatchObject({ state: 'inProgress' });
  expect(last).toMatchObject({ state: 'succeeded', endedAt: expect.any(String) });
  expect(last?.tasks.map(({ state }) => state)).toEqual(last?.tasks.map(() => 'succeeded'));
  expect(heard.length).toBeLessThan(last?.tasks.length ?? 0);
});

it('a step that takes long is known to the catalogue after a moment', async () => {
  const { rig, heard } = await heardBy();
  rig.fate = ({ name }) => (name === 'beginVm' ? { kind: 'hold', works: true } : { kind: 'run' });
  await rig.run('testFailover', inputs.testFailover);
  await rig.driver.advance(30_000);
  expect(heard.at(-1)?.tasks.at(-1)).toMatchObject({ id: 'vm', state: 'inProgress' });
});

it('a run that waits for its turn in a plan is heard of at once', async () => {
  const { rig, heard } = await heardBy();
  await rig.run('testFailover', { ...inputs.testFailover, startWhenTold: true });
  expect(heard.at(-1)?.tasks.at(-1)).toMatchObject({ id: 'turn', state: 'inProgress' });
});

it('a run that asks is heard of at once', async () => {
  const { rig, heard } = await heardBy();
  rig.fate = ({ name }) => (name === 'beginVm' ? { kind: 'fail', error: trouble } : { kind: 'run' });
  await rig.run('failover', inputs.failover);
  expect(heard.at(-1)).toMatchObject({ state: 'waitingForInput', error: { code: trouble.code } });
});
