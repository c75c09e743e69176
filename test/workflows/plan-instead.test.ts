/** A step that an operator tries again with another action: whose decision that is, and what taking it back means. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PlanStep } from '../../domain/plan/plan.ts';
import { failing, group, members, plan, PlanStage, step } from './support/plan-stage.ts';

let stage: PlanStage;
beforeEach(() => {
  stage = new PlanStage();
});
afterEach(() => stage.driver.dispose());

const action = { kind: 'wait', seconds: 1 } as const;
const run = (...after: PlanStep[]) =>
  stage.run('failover', plan([group('web', { steps: { before: [], after } })]), members('w@web'));

describe('a manual step that was rejected', () => {
  const rejected = async (...approvers: string[]) => {
    await run(step('ask', { does: { kind: 'manual', text: 'May it?', approvers, onSilence: 'wait' } }));
    expect(await stage.decide('reject', { principal: 'alice', reason: 'not tonight' })).toBeUndefined();
  };

  test('is replaced, skipped or asked again by its approvers alone', async () => {
    await rejected('alice', 'bob');
    expect(await stage.decide('retry', { action })).toBe('DR_APPROVER_UNKNOWN');
    expect(await stage.decide('skip', { reason: 'never mind' })).toBe('DR_APPROVER_UNKNOWN');
    expect(await stage.decide('retry')).toBe('DR_APPROVER_UNKNOWN');
    expect(await stage.decide('retry', { action, principal: 'bob' })).toBeUndefined();
    await stage.driver.advance(2_000);
    expect((await stage.job()).state).toBe('succeeded');
  });

  test('without approvers is anybody’s', async () => {
    await rejected();
    expect(await stage.decide('skip', { reason: 'told by phone' })).toBeUndefined();
    expect((await stage.job()).state).toBe('succeeded');
  });

  test('holds nobody up who wants to end the run', async () => {
    await rejected('alice');
    expect(await stage.decide('rollBack')).toBeUndefined();
    expect(stage.begun).toEqual(['failover w', 'undo failover w']);
  });
});

describe('what the plan’s undo takes back', () => {
  const back = {
    kind: 'command',
    on: 'configurationServer',
    argv: ['back'],
    environment: {},
    secrets: {},
  } as const;
  const undone = async (more: Parameters<PlanStage['decide']>[1]) => {
    stage.fate = failing('step dns', 'step check');
    await run(step('dns', { undo: back }), step('check'));
    await stage.decide('retry', more);
    await stage.driver.advance(2_000);
    await stage.decide('rollBack');
    const task = (await stage.job()).tasks.find(({ id }) => id === 'undo-step-dns');
    const record = stage.records.at(-1)?.steps.find(({ outcome }) => outcome === 'undone');
    return [task?.detail, record?.detail];
  };

  test('is told to have been something else where the step did something else', async () => {
    const detail = "the plan's undo; the step had done something else: done";
    expect(await undone({ action })).toEqual([detail, detail]);
  });

  test('is what the step did where it was tried again as it was', async () => {
    expect(await undone({})).toEqual(['done', 'done']);
  });
});
