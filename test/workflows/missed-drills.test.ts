import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import { noticesOfJob } from '../../domain/job-notices.ts';
import { group, members, plan, PlanStage } from './support/plan-stage.ts';

const refused = new DrError('DR_PLAN_NOT_READY', {
  plan: 'shop',
  problems: 'group web, web-02: machine "web-02" is not protected',
});

class RefusingStage extends PlanStage {
  isRefusing = false;

  override fateOf(call: Parameters<PlanStage['fateOf']>[0]): ReturnType<PlanStage['fateOf']> {
    if (this.isRefusing && call.name === 'pinPlan') return { kind: 'fail', error: refused };
    return super.fateOf(call);
  }
}

let stage: RefusingStage;
beforeEach(() => {
  stage = new RefusingStage();
});
afterEach(() => stage.driver.dispose());

const begin = async () => {
  const input = { planName: 'shop', cron: '0 3 * * 6', blackouts: [] };
  await stage.driver.start('scheduledDrill', 'drill', input);
  await stage.driver.settle();
};
const told = () => {
  const job = stage.jobs.at(-1);
  return job === undefined ? [] : noticesOfJob({ job, at: job.startedAt, isPartOfPlanRun: false });
};

test('a drill whose plan could not begin is told as missed with everything in its way, and pauses the schedule', async () => {
  stage.isRefusing = true;
  await begin();
  expect(stage.driver.ending('drill')).toMatchObject({
    status: 'failed',
    failure: { applicationFailureInfo: { type: 'DR_PLAN_NOT_READY' } },
  });
  expect(stage.jobs.at(-1)).toMatchObject({
    kind: 'testPlan',
    subject: 'shop',
    state: 'failed',
    tasks: [{ id: 'missed', state: 'failed' }],
  });
  expect(told()).toMatchObject([
    { event: 'drillMissed', text: expect.stringContaining('machine "web-02" is not protected') },
  ]);
});

test('so is one whose plan names no isolated subnet', async () => {
  const pinned = { name: 'shop', version: 3, sha256: 'a'.repeat(64), plan: plan([group('web')]) };
  stage.pinned = { plan: pinned, members: members('web-01@web') };
  await begin();
  expect(stage.begun).toEqual([]);
  expect(told()).toMatchObject([{ event: 'drillMissed', text: expect.stringContaining('drill.subnetId') }]);
});
