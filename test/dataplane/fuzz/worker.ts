/** A thread that fuzzes, so that a hang or a lack of memory ends the thread and not the run. */
import { parentPort, workerData } from 'node:worker_threads';
import { fuzz } from './run.ts';
import type { FuzzResult } from './run.ts';
import { fuzzTargets } from './targets.ts';

export interface FuzzOrder {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  /** One number: the input that is under way. */
  readonly progress: Int32Array;
}

export type FuzzReport = FuzzResult | { readonly crash: string };

const { target: name, seed, inputs, progress } = workerData as FuzzOrder;
const target = fuzzTargets.find((candidate) => candidate.name === name);
if (target === undefined || parentPort === null) throw new Error(`there is no target "${name}"`);
const port = parentPort;

const report = (message: FuzzReport) => port.postMessage(message);
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => report({ crash: `${event}: ${String(error)}` }));
}
report(await fuzz(target, { seed, inputs, onInput: (index) => void Atomics.store(progress, 0, index) }));
