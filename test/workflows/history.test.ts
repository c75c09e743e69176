import { expect, it } from '@jest/globals';
import { asInHistory, kindsOf, type DoneTask } from './support/history.ts';
import type { Command, Job } from './support/sandbox-sdk.ts';

const timer = (seq: number): Command => ({ startTimer: { seq } });
const fires = (seq: number): Job => ({ fireTimer: { seq } });
const asks = (protocolInstanceId: string): Job => ({ doUpdate: { protocolInstanceId } });
const refuses = (protocolInstanceId: string): Command => ({
  updateResponse: { protocolInstanceId, rejected: {} },
});
const accepts = (protocolInstanceId: string): Command => ({
  updateResponse: { protocolInstanceId, accepted: {} },
});

/** Each a second after the one before. */
function history(...tasks: readonly (readonly [jobs: Job[], commands: Command[]])[]) {
  const done = tasks.map(([jobs, commands], at): DoneTask => ({
    activation: { timestamp: { seconds: at }, jobs } as never,
    commands,
  }));
  const seen = asInHistory(done);
  const played = seen.tasks.map(({ activation }) => [Number(activation.timestamp?.seconds), activation.jobs]);
  return { played, isExact: seen.isExact };
}

it('leaves out updates that were refused: they leave no event', () => {
  expect(
    history(
      [[fires(1)], [timer(2)]],
      [
        [fires(2), asks('u')],
        [refuses('u'), timer(3)],
      ],
    ),
  ).toEqual({
    played: [
      [0, [fires(1)]],
      [1, [fires(2)]],
    ],
    isExact: true,
  });
});

it('plays a task that asked for nothing at the time of the next, when nothing but the task came between', () => {
  expect(
    history([[fires(1)], []], [[fires(2)], []], [[asks('u')], [refuses('u')]], [[fires(3)], []]),
  ).toEqual({
    played: [
      [0, [fires(1)]],
      [2, [fires(2)]],
      [3, [fires(3)]],
    ],
    isExact: false,
  });
});

it('plays what came beside a refused update together with what was before it', () => {
  const both = [fires(3), asks('u')];
  const seen = history([[fires(1)], []], [[fires(2)], []], [both, [refuses('u'), timer(4)]]);
  expect(seen.played).toEqual([
    [0, [fires(1)]],
    [2, [fires(2), fires(3)]],
  ]);
});

it('plays every task in its own time that asked for something, or whose next brings something', () => {
  const { isExact, played } = history(
    [[fires(1)], [timer(2)]],
    [[fires(2)], []],
    [[asks('refused')], [refuses('refused')]],
    [[asks('u')], [accepts('u')]],
  );
  expect([isExact, played.map(([at]) => at)]).toEqual([true, [0, 1, 3]]);
});

it('compares kinds, names and order, and nothing that may hold a time', () => {
  const at = (time: string): Command => ({
    scheduleActivity: {
      seq: 1,
      activityType: 'recordJob',
      activityId: 'a',
      headers: { time: { data: Buffer.from(time) } },
    },
  });
  expect(kindsOf([at('1')])).toEqual(kindsOf([at('2')]));
  expect(kindsOf([at('1'), timer(1)])).not.toEqual(kindsOf([timer(1), at('1')]));
});
