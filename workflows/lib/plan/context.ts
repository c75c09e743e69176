/** What the parts of a plan's run share. */
import type { RegionLook } from '../../../domain/plan/clashes.ts';
import type { PlanRunInput, StepMachine } from '../../contracts/plan.ts';
import type { JobLog, TaskLog } from '../job-log.ts';
import type { PlanBook } from './book.ts';
import type { Desk } from './desk.ts';
import type { Fleet } from './fleet.ts';
import type { Moves } from './moves.ts';

export interface PlanContext {
  readonly input: PlanRunInput;
  readonly log: JobLog;
  readonly desk: Desk;
  readonly book: PlanBook;
  readonly fleet: Fleet;
  readonly moves: Moves;
  /** Members as they are now, by name. */
  readonly machines: Record<string, StepMachine>;
  /** Sizes of Azure machines that are known; others count no cores. */
  sizes: RegionLook['sizes'];
  /** Regions that did not answer, and why. */
  readonly unseen: Record<string, string>;
  /** What the run will be said to have failed with: the first is kept. */
  fail(error: unknown): void;
}

/** Tasks of the run itself, below no group. */
export function topLevel({ log }: PlanContext): TaskLog {
  return {
    task: (id, name, work, detail) => log.step(id, name, work, detail),
    wait: () => undefined,
    goOn: () => undefined,
    say: () => undefined,
  };
}
