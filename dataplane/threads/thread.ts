/** Runs in a thread: does one task after the other, synchronously. */
import { parentPort } from 'node:worker_threads';
import { tasks } from '../segment/tasks.ts';
import type { TaskName, Tasks } from '../segment/tasks.ts';

/** What the pool asks. */
export interface Order {
  readonly id: number;
  readonly name: TaskName;
  readonly input: unknown;
}

/** What the thread answers; a task that throws is answered with what it said. */
export type Reply =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly problem: string };

parentPort?.on('message', (order: Order) => parentPort?.postMessage(perform(order)));

function perform({ id, name, input }: Order): Reply {
  try {
    const task = tasks[name] as (input: unknown) => ReturnType<Tasks[TaskName]>;
    return { id, output: task(input) };
  } catch (error) {
    return { id, problem: error instanceof Error ? error.message : String(error) };
  }
}
