/**
 * Awaits the runs of many machines at the same time. Every look is a long poll, of which the Temporal server allows a
 * client only so many (1,200 per namespace and frontend by default), so the looks are bounded and two that ask for the
 * same run share one.
 */
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';
import type { RunOutcome } from '../../workflows/contracts/runs.ts';

export type AnyOutcome = RunOutcome<Readonly<Record<string, unknown>>>;

/** How the operation's run ended; null: it has not within `withinMs`. @throws DR_JOB_UNKNOWN: there is no such run */
export type LookAtRun = (
  item: ProtectedItemId,
  operation: OperationId,
  withinMs: number,
) => Promise<AnyOutcome | null>;

export interface OutcomeWatch {
  /** One look, when its turn has come; null: it has not ended yet. @throws DR_JOB_UNKNOWN */
  look(item: ProtectedItemId, operation: OperationId): Promise<AnyOutcome | null>;
}

const LOOKS_MAX = 256;
const LOOK_MS = 15_000;
/** When there are more runs than looks, everybody's turn comes soon. */
const SHORT_LOOK_MS = 1_000;

export function watchOutcomes(lookAtRun: LookAtRun): OutcomeWatch {
  const looks = new Map<string, Promise<AnyOutcome | null>>();
  const queue: (() => void)[] = [];
  let open = 0;

  const turn = async () => {
    if (open >= LOOKS_MAX) await new Promise<void>((resolve) => queue.push(resolve));
    open += 1;
  };
  const begin = async (item: ProtectedItemId, operation: OperationId) => {
    await turn();
    try {
      return await lookAtRun(item, operation, queue.length === 0 ? LOOK_MS : SHORT_LOOK_MS);
    } finally {
      open -= 1;
      queue.shift()?.();
    }
  };

  return {
    look(item, operation) {
      const key = `${item}/${operation}`;
      const known = looks.get(key);
      if (known !== undefined) return known;
      const look = begin(item, operation).finally(() => looks.delete(key));
      looks.set(key, look);
      return look;
    },
  };
}
