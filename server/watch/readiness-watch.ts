/** Looks at everything once a minute, and tells when something is not ready any more, or is again. */
import { lookAgain, type ReadinessSeen, type ReadinessTold } from '../../domain/readiness-watch.ts';
import { whatIsReady, type Looked } from '../readiness.ts';

/** Of several configuration servers one looks. */
export const LOOK_EVERY_MS = 50_000;

/** Nothing, when somebody has looked a moment ago. */
export async function watchReadiness(deps: Looked, now: Date): Promise<void> {
  const { watches } = deps.catalogue;
  if (!(await watches.claimLook('readiness', { now, everyMs: LOOK_EVERY_MS }))) return;
  const seen = await readinessSeen(deps);
  const told = await watches.told<ReadinessTold>('readiness');
  await watches.keep('readiness', { ...lookAgain(told, seen, now.toISOString()), at: now });
}

async function readinessSeen(deps: Looked): Promise<ReadinessSeen[]> {
  const { items, plans, estate } = await whatIsReady(deps);
  const moving = new Set(
    [...estate.items.values()].flatMap(({ running, machineName }) =>
      running === undefined ? [] : [machineName],
    ),
  );
  return [
    ...plans.map(({ name, ready, reasons }): ReadinessSeen => {
      const isMoving = reasons.every(({ machine }) => machine !== undefined && moving.has(machine));
      return {
        subject: `plan/${name}`,
        kind: 'plan',
        name,
        ready: !ready && isMoving ? 'unsettled' : ready,
        reasons,
      };
    }),
    ...items.map(({ itemId, machineName, ready, reasons }): ReadinessSeen => ({
      subject: `item/${itemId}`,
      kind: 'machine',
      name: machineName,
      ready: !ready && moving.has(machineName) ? 'unsettled' : ready,
      reasons,
    })),
  ];
}
