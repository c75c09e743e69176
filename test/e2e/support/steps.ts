/** The steps of each move, from the runbooks themselves. */
import type { Step } from '../../../workflows/lib/runbook.ts';
import type { FailoverRun, Run } from '../../../workflows/contracts/runs.ts';
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

const real = { mode: 'real', choice: { kind: 'latest' }, shutdownSource: true, removeFirst: [] } as const;
const replaces = {} as NonNullable<FailoverRun['replaces']>;

/** Only what decides which steps apply. */
const plans: Readonly<
  Record<MoveName, readonly [Book, Partial<FailoverRun> & { readonly failover?: object }]>
> = {
  drill: [failoverBook, { ...real, mode: 'test', shutdownSource: false }],
  cleanup: [cleanupBook, {}],
  failover: [failoverBook, real],
  'change-point': [failoverBook, { ...real, shutdownSource: false, replaces }],
  rollback: [rollbackBook, { failover: {} }],
  commit: [commitBook, {}],
  reprotect: [reprotectBook, {}],
  failback: [failbackBook, {}],
  'cancel-failback': [cancelFailbackBook, {}],
  'commit-failback': [commitFailbackBook, {}],
  're-enable': [reEnableBook, {}],
};

/** Ids of the steps that a run of this move takes, in order. */
export function stepsOf(move: MoveName): string[] {
  const [book, run] = plans[move];
  return book.steps
    .filter(
      ({ applies }) =>
        (applies as ((run: Partial<Run>, facts: object) => boolean) | undefined)?.(run, {}) !== false,
    )
    .map(({ id }) => id);
}
