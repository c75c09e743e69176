/** What the record of a run says: of tries, of people, of objectives, of what was predicted, of what machines said. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PlanRunInput } from '../../workflows/contracts/plan.ts';
import { PlanBook, type MemberDone, type StepDone } from '../../workflows/lib/plan/book.ts';
import { evidenceOf } from '../../workflows/lib/plan/evidence.ts';
import {
  failing,
  group,
  members,
  plan,
  PlanStage,
  requester,
  RUN,
  step,
  trouble,
} from './support/plan-stage.ts';

let stage: PlanStage;
beforeEach(() => {
  stage = new PlanStage();
});
afterEach(() => stage.driver.dispose());

const web = members('web@web');
const record = () => {
  const last = stage.records.at(-1);
  if (last === undefined) throw new Error('the run has left no record');
  return last;
};
const withSteps = (...after: Parameters<typeof step>[]) =>
  plan([group('web', { steps: { before: [], after: after.map((each) => step(...each)) } })]);

describe('tries', () => {
  test('of a machine and a step are all told, with what each failed with', async () => {
    stage.fate = failing('failover web', 'step dns', 'step dns');
    await stage.run('failover', withSteps(['dns', { retries: 1 }]), web);
    await stage.decide('retry', { taskId: 'machine-web' });
    await stage.decide('retry', { taskId: 'step-dns' });
    const failure = { error: { code: 'DR_INTERNAL' } };
    expect(record()).toMatchObject({
      members: [{ outcome: 'succeeded', failures: [failure] }],
      steps: [{ outcome: 'succeeded', isCritical: true, tries: 3, failures: [failure, failure] }],
    });
  });

  test('of what is not critical too', async () => {
    stage.fate = failing('step dns', 'step dns');
    await stage.run('failover', withSteps(['dns', { isCritical: false, retries: 1 }]), web);
    expect(record().steps).toMatchObject([
      { outcome: 'failed', isCritical: false, tries: 2, failures: [{}, {}] },
    ]);
  });

  test('without a failure none are told', async () => {
    await stage.run('failover', withSteps(['dns']), web);
    expect(record().members[0]).not.toHaveProperty('failures');
    expect(record().steps[0]).toMatchObject({ tries: 1 });
    expect(record().steps[0]).not.toHaveProperty('failures');
  });

  test('that never end well are bounded', async () => {
    stage.fate = (what) => (what === 'evidence' ? { kind: 'run' } : { kind: 'fail', error: trouble });
    await stage.run('failover', withSteps(['dns', { isCritical: false, retries: 60 }]), web);
    await stage.decide('skip', { reason: 'by hand' });
    const [only] = record().steps;
    expect(only?.failures).toHaveLength(20);
    expect(only).not.toHaveProperty('tries');
  });
});

describe('people', () => {
  const asks = (onSilence: 'wait' | 'approve') =>
    withSteps(['ask', { does: { kind: 'manual', text: 'May it?', approvers: [], onSilence } }]);

  test('who rejected, and who then skipped, and why', async () => {
    await stage.run('failover', asks('wait'), web);
    await stage.decide('reject', { principal: 'duty', reason: 'month end' });
    await stage.decide('skip', { principal: 'olga', reason: 'told by phone' });
    expect(record()).toMatchObject({
      steps: [
        {
          outcome: 'skipped',
          approval: { answer: 'skipped', by: 'olga', reason: 'told by phone' },
          failures: [{ error: { code: 'DR_STEP_REJECTED' } }],
        },
      ],
      decisions: [
        { by: 'duty', decision: 'reject', step: 'step-ask', reason: 'month end' },
        { by: 'olga', decision: 'skip' },
      ],
    });
  });

  test('who rejected a run that was ended for it', async () => {
    await stage.run('failover', asks('wait'), web);
    await stage.decide('reject', { principal: 'duty', reason: 'month end' });
    await stage.decide('keep');
    expect(record().steps).toMatchObject([
      { outcome: 'failed', approval: { answer: 'rejected', by: 'duty' } },
    ]);
  });

  test('that nobody answered, where the plan says what that means', async () => {
    await stage.run('failover', asks('approve'), web);
    await stage.driver.advance(601_000);
    const [only] = record().steps;
    expect(only?.approval).toMatchObject({ answer: 'approved' });
    expect(only?.approval).not.toHaveProperty('by');
  });
});

describe('objectives', () => {
  const promised = { targets: { rpoSeconds: 60, rtoSeconds: 1_800 } };

  test('are those of the plan, with what the run reached', async () => {
    stage.facts = { rpoSeconds: 90 };
    await stage.run('test', plan([group('web')], promised), web);
    expect(record().run).toMatchObject({
      rpoSeconds: { target: 60, reached: 90 },
      rtoSeconds: { target: 1_800, reached: expect.any(Number) },
    });
  });

  test('without one in the plan the RPO is measured by the threshold that all machines share', async () => {
    stage.facts = { rpoSeconds: 90 };
    const gold = web.map((member) => ({ ...member, rpoThresholdSeconds: 300 }));
    await stage.run('test', plan([group('web')]), gold);
    expect(record().run.rpoSeconds).toEqual({ target: 300, reached: 90 });
    expect(record().run.rtoSeconds).not.toHaveProperty('target');
  });

  test('of a run that failed are not said to be reached', async () => {
    stage.fate = failing('test web');
    await stage.run('test', plan([group('web')], promised), web, { unattended: true });
    expect(record().run).toMatchObject({ outcome: 'undone', rtoSeconds: { target: 1_800 } });
    expect(record().run.rtoSeconds).not.toHaveProperty('reached');
  });
});

describe('what a run has reached', () => {
  const who = members('a@web', 'b@web');
  const input: PlanRunInput = {
    runId: RUN,
    requestedBy: requester,
    kind: 'failover',
    plan: { name: 'shop', version: 3, sha256: 'a'.repeat(64), plan: plan([group('web')]) },
    members: who,
    choice: { kind: 'latest' },
    shutdownSource: true,
  };
  const at = '2026-01-01T00:00:00.000Z';
  const reached = (
    outcomes: readonly MemberDone['outcome'][],
    { rpos = [30, 90], steps = [] }: { rpos?: (number | undefined)[]; steps?: StepDone['outcome'][] } = {},
  ) => {
    const book = new PlanBook();
    const shared = { startedAt: at, endedAt: at, detail: '' };
    outcomes.forEach((outcome, index) => {
      const { machineName = '', itemId = '' } = who[index] ?? {};
      const rpoSeconds = rpos[index];
      const facts = rpoSeconds === undefined ? {} : { rpoSeconds };
      book.told({
        ...shared,
        machineName,
        itemId,
        group: 'web',
        operationId: '',
        outcome,
        address: null,
        facts,
      });
    });
    for (const outcome of steps) {
      const told = {
        taskId: 'step-dns',
        step: 'dns',
        where: 'the run',
        action: 'wait',
        observed: {},
      } as const;
      book.steps.push({ ...shared, ...told, outcome });
    }
    const endedAt = '2026-01-01T00:10:00.000Z';
    const end = { startedAt: at, endedAt, outcome: 'succeeded', decided: [], bootLogs: {} } as const;
    const { rpoSeconds, rtoSeconds } = evidenceOf(input, book, end).run;
    return [rpoSeconds?.reached, rtoSeconds?.reached];
  };

  test('is that of its worst machine, and of the whole of it', () => {
    expect(reached(['succeeded', 'succeeded'])).toEqual([90, 600]);
    expect(reached(['succeeded', 'succeeded'], { steps: ['succeeded', 'failed'] })).toEqual([90, 600]);
  });

  test('is no time where a machine was there already or a step was skipped', () => {
    expect(reached(['succeeded', 'reached'])).toEqual([90, undefined]);
    expect(reached(['succeeded', 'succeeded'], { steps: ['skipped'] })).toEqual([90, undefined]);
  });

  test.each(['skipped', 'failed', 'undone'] as const)('is nothing where a machine is %s', (outcome) => {
    expect(reached(['succeeded', outcome])).toEqual([undefined, undefined]);
  });

  test('is no RPO where a machine has not begun, or one of them is not known', () => {
    expect(reached(['succeeded'])[0]).toBeUndefined();
    expect(reached(['succeeded', 'succeeded'], { rpos: [30, undefined] })[0]).toBeUndefined();
  });
});

test('what was predicted stands beside it, but not beside the cleanup', async () => {
  const prediction = {
    rtoSecondsP50: 100,
    rtoSecondsP90: 140,
    rpoSeconds: 30,
    madeAt: '2026-01-01T00:00:00.000Z',
  };
  await stage.run('test', plan([group('web')]), web, { prediction });
  expect(record().prediction).toEqual(prediction);
  await stage.driver.advance(4 * 3_600_000 + 1_000);
  expect(record().run.kind).toBe('cleanup');
  expect(record()).not.toHaveProperty('prediction');
});

describe('boot logs', () => {
  test('are kept of the machines that started, before they are taken back', async () => {
    stage.fate = failing('step dns');
    await stage.run('test', withSteps(['dns']), web, { unattended: true });
    expect(stage.kept.map(({ machines }) => machines)).toEqual([[{ itemId: 'item-web', vmId: '/vms/web' }]]);
    expect(stage.begun.at(-1)).toBe('undo test web');
    expect(record().members).toMatchObject([{ outcome: 'undone', bootLog: { bytes: 5 } }]);
  });

  test('of many machines are shorter, so that the page can be opened', async () => {
    const many = members(...Array.from({ length: 200 }, (_, index) => `m${index}@web`));
    await stage.run('failover', plan([group('web')]), many);
    expect(stage.kept).toHaveLength(8);
    expect(stage.kept[0]?.bytesMax).toBe(Math.floor((8 * 2 ** 20) / 200));
  });

  test('are not asked for where nothing starts in Azure', async () => {
    await stage.run('failback', plan([group('web')]), web);
    expect(stage.kept).toEqual([]);
  });
});
