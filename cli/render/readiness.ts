/** Readiness as people read it: what is ready, and below it what stands in the way and what to do. */
import type { ItemReadiness, PlanReadiness, ReadinessAnswer } from '../../api/readiness.ts';
import { duration, moment, table } from './text.ts';

type Plan = Omit<PlanReadiness, 'members'>;
type Reason = Plan['reasons'][number];

export function readinessPage({ plans, items }: ReadinessAnswer): string {
  const own = plans.map((plan) => ({
    ...plan,
    reasons: plan.reasons.filter((r) => r.machine === undefined),
  }));
  return [
    planTable(plans),
    '',
    itemTable(items),
    ...wayBlock([...own.flatMap(planReasons), ...items.flatMap(itemReasons)]),
  ].join('\n');
}

/** Reasons in the order of the plan: the oldest first, whichever machine they are of. */
export function planReadinessPage(plan: PlanReadiness): string {
  return [planTable([plan]), '', itemTable(plan.members), ...wayBlock(planReasons(plan))].join('\n');
}

/** For one line. */
export function verifiedText({ verified, notVerified }: Pick<Plan, 'verified' | 'notVerified'>): string {
  return verified ? 'verified' : ['not verified', notVerified?.message ?? []].flat().join(': ');
}

function planTable(plans: readonly Plan[]): string {
  return table(
    ['plan', 'version', 'ready', 'about RTO', 'about RPO', 'verified'],
    plans.map((plan) => [plan.name, String(plan.version), ...estimate(plan), plan.verified ? 'yes' : 'no']),
    'There is no recovery plan.',
  );
}

function itemTable(items: readonly ItemReadiness[]): string {
  return table(
    ['machine', 'next', 'ready', 'about RTO', 'about RPO'],
    items.map((item) => [item.machineName, item.nextMove, ...estimate(item)]),
    'There is no protected machine.',
  );
}

function estimate({ ready, expectedRtoSeconds, expectedRpoSeconds }: Plan | ItemReadiness): string[] {
  return [ready ? 'yes' : 'no', about(expectedRtoSeconds), about(expectedRpoSeconds)];
}

function about(seconds: number | undefined): string {
  return seconds === undefined ? 'not known' : duration(seconds);
}

function planReasons({ name, reasons, notVerified }: Plan): string[] {
  return [
    ...reasons.map((reason) => line(reason.machine ?? `plan ${name}`, reason)),
    ...(notVerified === undefined ? [] : [line(`plan ${name} is not verified`, notVerified)]),
  ];
}

function itemReasons({ machineName, reasons }: ItemReadiness): string[] {
  return reasons.map((reason) => line(machineName, reason));
}

function line(what: string, { message, remedy, since }: Reason): string {
  const when = since === undefined ? '' : ` (since ${moment(since)})`;
  return `  ${what}: ${message}${when}\n      ${remedy}`;
}

function wayBlock(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', 'What to do:', ...lines];
}
