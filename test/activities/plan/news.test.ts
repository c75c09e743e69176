import { describe, expect, it } from '@jest/globals';
import { News } from '../../../activities/plan/news.ts';
import type { OperationId } from '../../../domain/ids.ts';
import { isJobOver, type Job } from '../../../domain/job.ts';
import { sampleJob } from '../../support/samples.ts';

const { signal } = new AbortController();
const LONG_MS = 60_000;
const isOver = ({ state }: Job) => isJobOver(state);
const told = (revision: number, state: Job['state']) => sampleJob('job-1', { revision, state });

const tell = (news: News<OperationId, Job>, job: Job) => news.tell(job.id, job);

describe('what jobs tell in one process', () => {
  it('wakes whoever waits for it, and nobody else', async () => {
    const news = new News<OperationId, Job>();
    const ear = news.listen(told(1, 'inProgress').id);
    const end = ear.until(isOver, { signal, withinMs: LONG_MS });
    tell(news, sampleJob('job-2', { revision: 9, state: 'succeeded' }));
    tell(news, told(1, 'inProgress'));
    tell(news, told(2, 'succeeded'));
    expect(await end).toMatchObject({ id: 'job-1', revision: 2 });
  });

  it('an old record that is told late does not hide a newer one', async () => {
    const news = new News<OperationId, Job>();
    const ear = news.listen(told(1, 'inProgress').id);
    tell(news, told(2, 'succeeded'));
    tell(news, told(1, 'inProgress'));
    expect(await ear.until(isOver, { signal, withinMs: LONG_MS })).toMatchObject({ revision: 2 });
  });

  it('who comes too late does not wait the first time', async () => {
    const news = new News<OperationId, Job>();
    const ear = news.listen(told(1, 'inProgress').id);
    ear.tooLate();
    expect(await ear.until(isOver, { signal, withinMs: LONG_MS })).toBeNull();
    const second = ear.until(isOver, { signal, withinMs: LONG_MS });
    tell(news, told(2, 'failed'));
    expect(await second).toMatchObject({ state: 'failed' });
  });

  it('answers nothing when the time is up, when it is called off, and after it was closed', async () => {
    const news = new News<OperationId, Job>();
    const ear = news.listen(told(1, 'inProgress').id);
    expect(await ear.until(isOver, { signal, withinMs: 1 })).toBeNull();
    const stop = new AbortController();
    const calledOff = ear.until(isOver, { signal: stop.signal, withinMs: LONG_MS });
    stop.abort();
    expect(await calledOff).toBeNull();
    ear.close();
    tell(news, told(2, 'succeeded'));
    expect(await ear.until(isOver, { signal, withinMs: 1 })).toBeNull();
  });
});
