import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../workers/bundle.ts';
import { runbooks } from '../../workflows/runbooks.ts';
import { stopRecordingStacks } from '../workflows/support/sandbox-sdk.ts';
import { historyNames, loadHistory, type History } from './history-file.ts';

const names = (await historyNames()).sort();

let codePath: string;
beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  codePath = await workflowBundle();
}, 60_000);

afterAll(stopRecordingStacks);

interface Scheduled {
  activityType: { name: string };
}

function replay(history: History): Promise<void> {
  return Worker.runReplayHistory({ workflowBundle: { codePath } }, history);
}

describe('the workflows of this version', () => {
  it.each(names)('go on from the history of %s', async (name) => {
    await replay(await loadHistory(name));
  });

  it('have a history of the end of every runbook', () => {
    const ended = new Set(names.filter((name) => name.endsWith('-done')).map((name) => name.split('-')[0]));
    expect(Object.keys(runbooks).filter((book) => !ended.has(book))).toEqual([]);
  });

  it('do not go on from a history that is not theirs', async () => {
    const mutated = await loadHistory('commit-done');
    const { events } = mutated as { events: { activityTaskScheduledEventAttributes?: Scheduled }[] };
    const scheduled = events
      .map((event) => event.activityTaskScheduledEventAttributes)
      .find((each) => each?.activityType.name === 'deleteOtherPoints');
    expect(scheduled).toBeDefined();
    if (scheduled !== undefined) scheduled.activityType.name = 'deleteAllPoints';
    await expect(replay(mutated)).rejects.toThrow(/TMPRL1100|[Nn]ondeterminism/);
  });
});
