/** What a crash run counts, and its printed summary. */
import { findingKinds, type Finding } from '../../test/e2e/support/audit.ts';
import type { Plan, Target } from './plan.ts';

export interface Tally {
  readonly seed: number;
  readonly startedAt: number;
  kills: number;
  killsInStep: number;
  finished: number;
  pairs: number;
  readonly pairsWanted: number;
  /** Operations that did not end well, or did not hold what they promise. */
  readonly failures: string[];
}

const LABELS = {
  duplicate: 'duplicates',
  orphan: 'orphans',
  doubleWriter: 'double writers',
  bothOn: 'both on',
} as const;

export function summary(tally: Tally, plan: Plan, findings: readonly Finding[]): string {
  const minutes = ((Date.now() - tally.startedAt) / 60_000).toFixed(1);
  const counts = findingKinds.map(
    (kind) => `${LABELS[kind]} ${findings.filter((each) => each.kind === kind).length}`,
  );
  return [
    '',
    `seed                  ${tally.seed}`,
    `minutes               ${minutes}`,
    `kills                 ${tally.kills}, ${tally.killsInStep} of them inside the step aimed at`,
    `operations finished   ${tally.finished} of ${tally.finished + tally.failures.length}`,
    `step × process        ${plan.covered} of ${plan.total} covered`,
    `two kills together    ${tally.pairs} of ${tally.pairsWanted}`,
    `found                 ${counts.join(', ')}`,
    ...tally.failures.map((failure) => `did not end well      ${failure}`),
    ...findings.map(({ kind, what }) => `${LABELS[kind].padEnd(21)} ${what}`),
    ...byStep('over too soon        ', plan.tooShort),
    ...byStep('not reached          ', plan.open),
  ].join('\n');
}

/** `failover fence: process-server, temporal` */
function byStep(label: string, targets: readonly Target[]): string[] {
  const steps = Map.groupBy(targets, ({ move, step }) => `${move} ${step}`);
  return [...steps].map(([step, some]) => `${label} ${step}: ${some.map(({ victim }) => victim).join(', ')}`);
}
