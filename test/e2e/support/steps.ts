/** The steps of each move, from the runbooks themselves. */
import type { Step } from '../../../workflows/lib/runbook.ts';
import type { FailoverRun } from '../../../workflows/contracts/runs.ts';
import { cancelFailbackBook } from '../../../workflows/cancel-failback.ts';
import { cleanupBook } from '../../../workflows/cleanup.ts';
import { commitFailbackBook } from '../../../workflows/commit-failback.ts';
import { commitBook } from '../../../workflows/commit.ts';
import { failbackBook } from '../../../workflows/failback.ts';
import { failoverBook } from '../../../workflows/failover.ts';
import { reEnableBook } from '../../../workflows/re-enable.ts';
import { reprotectBook } from '../../../workflows/reprotect.ts';
import { rollbackBook } from '../../../workflows/rollback.ts';
import type { MoveName } from './moves.ts';

interface Book {
  readonly steps: readonly Pick<Step<never, never>, 'id' | 'applies'>[];
}

interface Deciding extends Partial<FailoverRun> {
  readonly failover?: object;
  readonly way?: { readonly safetySnapshot: string };
}

const real: Deciding = {
  mode: 'real',
  choice: { kind: 'latest' },
  shutdownSource: true,
  removeFirst: [],
  failover: {},
  way: { safetySnapshot: 'taken' },
};
const untouched: Deciding = { ...real, shutdownSource: false };
const replaces = {} as NonNullable<FailoverRun['replaces']>;

/** Runbook, and of its input what decides which steps apply. */
const plans: Readonly<Record<MoveName, readonly [Book, Deciding]>> = {
  drill: [failoverBook, { ...untouched, mode: 'test' }],
  cleanup: [cleanupBook, real],
  failover: [failoverBook, real],
  'change-point': [failoverBook, { ...untouched, replaces }],
  rollback: [rollbackBook, real],
  commit: [commitBook, real],
  reprotect: [reprotectBook, real],
  failback: [failbackBook, real],
  'cancel-failback': [cancelFailbackBook, real],
  'commit-failback': [commitFailbackBook, real],
  're-enable': [reEnableBook, real],
};

/** Ids of the steps that a run of this move takes, in order. */
export function stepsOf(move: MoveName): string[] {
  const [book, run] = plans[move];
  return book.steps
    .filter(
      ({ applies }) =>
        (applies as ((run: Deciding, facts: object) => boolean) | undefined)?.(run, {}) !== false,
    )
    .map(({ id }) => id);
}
