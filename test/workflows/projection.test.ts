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
