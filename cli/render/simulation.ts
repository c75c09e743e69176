/** A simulation as people read it: how long, what decides, how much is lost, what is in the way, what it stands on. */
import type { PlanSimulationView } from '../../api/plan-simulations.ts';
import { costWords, limitWords } from '../../domain/plan/drill-cost.ts';
import { duration, facts, kebab, table } from './text.ts';

type Cost = NonNullable<PlanSimulationView['cost']>;

export function simulationPage(played: PlanSimulationView): string {
  const { name, version, kind, runs, seed, rtoSeconds, rpoSeconds, cost } = played;
  return [
    `${kebab(kind)} of plan ${name}, version ${version}: ${runs} repetitions, seed ${seed}. Nothing was touched.`,
    '',
    facts([
      ['RTO p50', duration(rtoSeconds.p50)],
      ['RTO p90', duration(rtoSeconds.p90)],
      ['RTO range', `${duration(rtoSeconds.min)} to ${duration(rtoSeconds.max)}`],
      ['RPO at worst', rpoSeconds === undefined ? 'not known' : duration(rpoSeconds)],
      ['Cost', cost === undefined ? unknownCost(kind) : amountWords(cost)],
      ['Cost counts', cost?.counted],
    ]),
    '',
    ...pathBlock(played),
    '',
    table(
      ['group', 'machine', 'about RPO'],
      played.members.map((member) => [member.group, member.machineName, known(member.rpoSeconds)]),
      'The plan has no machine.',
    ),
    ...block(
      'In the way of a run:',
      '✗',
      played.clashes.map(({ message }) => message),
    ),
    ...block('Assumed:', '!', played.assumptions),
    ...block('Not checked:', '?', played.notChecked),
  ].join('\n');
}

/** Only drills are priced. */
function unknownCost(kind: PlanSimulationView['kind']): string | undefined {
  return kind === 'test' ? 'not known' : undefined;
}

function amountWords({ amount, currency, hours, limit, machines, unpriced }: Cost): string {
  const words = `${costWords(amount, currency)} for ${hours} h of ${machines.length} machines`;
  const told = unpriced.length === 0 ? words : `at least ${words}, ${unpriced.length} have no price`;
  return limit === undefined ? told : `${told}, the limit is ${limitWords({ amount: limit, currency })}`;
}

function pathBlock({ criticalPath: { share, links } }: PlanSimulationView): string[] {
  if (links.length === 0) return ['Nothing in the run takes time.'];
  const rows = links.map((link) => [
    link.kind === 'ready' ? 'all made ready' : `${link.kind} ${link.name}`,
    link.machine ?? '',
    percent(link.share),
  ]);
  return [
    `What decides, in ${percent(share)} of the repetitions this very chain:`,
    table(['part', 'mostly', 'decides in'], rows, ''),
  ];
}

function known(seconds: number | undefined): string {
  return seconds === undefined ? 'not known' : duration(seconds);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function block(title: string, mark: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${mark} ${line}`)];
}
