/** How old the newest durable state of a machine has been, from its recovery points. */
import { contract } from '../../api/contract.ts';
import type { Practice } from '../../test/support/harness.ts';

export interface DurablePoint {
  /** ms since 1970. */
  readonly sourceAt: number;
  readonly durableAt: number;
}

/** The moment before a state becomes durable is the worst one: it is lost back to the state before. */
export function worstSeconds(
  points: readonly DurablePoint[],
  { from, to }: { readonly from: number; readonly to: number },
): number {
  const oldestFirst = points.toSorted((a, b) => a.sourceAt - b.sourceAt);
  const gaps = oldestFirst.flatMap(({ sourceAt }, index) => {
    const until = oldestFirst[index + 1]?.durableAt ?? to;
    return until < from ? [] : [(Math.min(until, to) - sourceAt) / 1_000];
  });
  return Math.max(0, ...gaps);
}

export async function worstRpoSeconds(
  { api }: Practice,
  machine: string,
  window: { readonly from: number; readonly to: number },
): Promise<number> {
  const { items } = await api.call(contract.listRecoveryPoints, {
    params: { id: machine },
    query: { limit: 500 },
  });
  const points = items.map(({ sourceTime, durableTime }) => ({
    sourceAt: Date.parse(sourceTime),
    durableAt: Date.parse(durableTime),
  }));
  return worstSeconds(points, window);
}
