/** Three ways to follow a job: a live tree on a terminal, plain lines elsewhere, one JSON object a line for programs. */
import { createLogUpdate } from 'log-update';
import type { Job, Task } from '../../api/jobs.ts';
import type { ReplicationActivity } from '../../api/replication.ts';
import { isJobOver } from '../../domain/job.ts';
import type { Io } from '../io.ts';
import { choiceLines } from './choices.ts';
import { failure, flatTasks, jobTitle, jobTree, taskLine } from './job.ts';
import { currentProgress, percent, replicationLine } from './replication.ts';

export interface WatchView {
  update(job: Job, activities: readonly ReplicationActivity[]): void;
  /** The server does not answer; watching goes on. */
  away(error: unknown): void;
  /** The last state, or undefined when nobody watches any more. */
  end(job: Job | undefined): void;
}

export function watchView(io: Io, output: 'text' | 'json'): WatchView {
  if (output === 'json') return jsonView(io);
  return io.stdout.isTTY === true && io.stdout.rows !== 0 ? liveView(io) : plainView(io);
}

function liveView(io: Io): WatchView {
  const screen = createLogUpdate(io.stdout);
  const colour = io.env['NO_COLOR'] === undefined;
  const draw = (job: Job) =>
    [jobTree(job, { colour, now: new Date().toISOString() }), ...waitingLines(job)].join('\n');
  let shown = '';
  return {
    update(job, activities) {
      const progress = currentProgress(activities);
      shown = progress === undefined ? draw(job) : `${draw(job)}\n  ${replicationLine(progress)}`;
      screen(shown);
    },
    away: () => screen(`${shown}\n  The configuration server does not answer; trying again.`),
    end(job) {
      if (job !== undefined) screen(draw(job));
      screen.done();
    },
  };
}

/** A line whenever a task changes state and for every tenth of a copy, and once what the job waits for. */
function plainView(io: Io): WatchView {
  const seen = new Map<string, Task['state']>();
  let tenth = -1;
  let isAway = false;
  let waitedFor = '';
  const line = (text: string) => io.stdout.write(`${text}\n`);
  const changes = (job: Job) => {
    isAway = false;
    for (const task of flatTasks(job.tasks)) {
      if (task.state === 'notStarted' || seen.get(task.id) === task.state) continue;
      seen.set(task.id, task.state);
      line(taskLine(task, { colour: false, now: task.startedAt ?? job.startedAt }));
      if (task.error !== undefined) line(`  ${task.error.message} (${task.error.code})`);
    }
    const waiting = waitingLines(job).join('\n');
    if (waiting !== '' && waiting !== waitedFor) line([...failure(job), waiting].join('\n'));
    waitedFor = waiting;
  };
  return {
    update(job, activities) {
      changes(job);
      const progress = currentProgress(activities);
      if (progress === undefined || Math.floor(percent(progress) / 10) === tenth) return;
      tenth = Math.floor(percent(progress) / 10);
      line(`  ${replicationLine(progress)}`);
    },
    away() {
      if (!isAway) line('  The configuration server does not answer; trying again.');
      isAway = true;
    },
    end(job) {
      if (job === undefined) return;
      changes(job);
      if (isJobOver(job.state)) line([`${jobTitle(job)} ${job.state}`, ...failure(job)].join('\n'));
    },
  };
}

function waitingLines(job: Job): string[] {
  return job.state === 'waitingForInput' ? choiceLines(job) : [];
}

/** `{"event":"job","job":…}` for every change of the job, `{"event":"replication","activities":…}` for every look at a copy. */
function jsonView(io: Io): WatchView {
  let last = '';
  const event = (value: object) => io.stdout.write(`${JSON.stringify(value)}\n`);
  const changed = (job: Job) => {
    const text = JSON.stringify(job);
    if (text !== last) event({ event: 'job', job });
    last = text;
  };
  return {
    update(job, activities) {
      changed(job);
      if (activities.length > 0) event({ event: 'replication', activities });
    },
    away: () => {},
    end(job) {
      if (job !== undefined) changed(job);
    },
  };
}
