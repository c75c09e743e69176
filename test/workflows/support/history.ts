/**
 * Workflow tasks as a worker finds them that has only their history. Two things differ from what the first worker saw
 * (temporalio/sdk-core, `find_end_index_of_next_wft_seq` in history_update.rs): an update that was refused leaves no
 * event, and a task that asked for nothing, after one that asked for nothing either, is played together with the next
 * one, at that one's time, when that one was scheduled before anything else came, as it is for an update.
 */
import type { Activation, Command } from './sandbox-sdk.ts';

export interface DoneTask {
  readonly activation: Activation;
  readonly commands: readonly Command[];
}

export function asInHistory(done: readonly DoneTask[]): {
  readonly tasks: readonly DoneTask[];
  /** False: some came at another time, and what was asked for after it may hold that time. */
  readonly isExact: boolean;
} {
  const tasks: DoneTask[] = [];
  let isExact = true;
  for (const original of done) {
    const task = withoutRefused(original);
    const jobs = task.activation.jobs ?? [];
    const [before, last] = [tasks.at(-2), tasks.at(-1)];
    const isBegunByRefused =
      jobs.length < (original.activation.jobs?.length ?? 0) && !task.commands.some(acceptsUpdate);
    if (isBegunByRefused && last?.commands.length === 0 && (before?.commands ?? []).length === 0) {
      const together = [...(last.activation.jobs ?? []), ...jobs];
      tasks[tasks.length - 1] = { ...task, activation: { ...task.activation, jobs: together } };
      isExact = false;
    } else if (jobs.length > 0) {
      tasks.push(task);
    } else if (task.commands.length > 0) {
      throw new Error('a task of refused updates alone has asked for something');
    }
  }
  return { tasks, isExact };
}

/** Compared exactly, or as far as Temporal looks; empty: they are the same. */
export function differenceOf(
  again: readonly Command[],
  before: readonly Command[],
  isExact: boolean,
): string {
  const [now, then] = isExact ? [again, before] : [kindsOf(again), kindsOf(before)];
  if (JSON.stringify(now) === JSON.stringify(then)) return '';
  return `${JSON.stringify(again)}, not ${JSON.stringify(before)}`;
}

/** What Temporal compares: what was asked for, under which name, and in which order. */
export function kindsOf(commands: readonly Command[]): unknown[] {
  return commands.map((command) => {
    const [kind, asked] = Object.entries(command).find(([, value]) => value != null) ?? [];
    const { seq, activityType, activityId, workflowType, workflowId, signalName } = (asked ?? {}) as Readonly<
      Record<string, unknown>
    >;
    return { kind, seq, activityType, activityId, workflowType, workflowId, signalName };
  });
}

/** Where one was accepted a new task begins in any case. */
function acceptsUpdate({ updateResponse }: Command): boolean {
  return updateResponse?.accepted != null;
}

function withoutRefused({ activation, commands }: DoneTask): DoneTask {
  const refused = new Set(
    commands.flatMap(({ updateResponse }) =>
      updateResponse?.rejected == null ? [] : [updateResponse.protocolInstanceId],
    ),
  );
  const jobs = (activation.jobs ?? []).filter(
    ({ doUpdate }) => doUpdate == null || !refused.has(doUpdate.protocolInstanceId),
  );
  return {
    activation: { ...activation, jobs },
    commands: commands.filter(({ updateResponse }) => updateResponse?.rejected == null),
  };
}
