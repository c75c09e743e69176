/** A verified bundle as people read it in a terminal; names in it are made safe for one. */
import { plain } from '../../domain/evidence/markup.ts';
import type { Objective, RunRecord } from '../../domain/evidence/record.ts';
import type { Verdict } from '../../domain/evidence/verify.ts';
import { duration, facts, moment, secondsBetween, table, words } from './text.ts';

type Verified = Extract<Verdict, { verdict: 'verified' }>;

const CELL_CHARACTERS_MAX = 80;
const cell = (text: string | undefined) => (text === undefined ? '-' : plain(text, CELL_CHARACTERS_MAX));
const seconds = (value: number | undefined) => (value === undefined ? '-' : duration(value));

export function verdictLines(
  file: string,
  { isKeyTrusted, keyId, head, software, record }: Verified,
): string {
  const { run, plan } = record;
  return [
    isKeyTrusted
      ? `${file} is what was signed, by a key that you trust.`
      : `${file} is what the key inside it has signed. That key was NOT compared with one you trust: give it with --key.`,
    facts([
      ['run', `${cell(run.id)}, ${words(run.kind)} of ${cell(plan.name)} version ${plan.version}`],
      ['outcome', run.outcome],
      ['head', head],
      ['key', keyId],
      ['written by', cell(software)],
    ]),
  ].join('\n');
}

export function evidencePage(file: string, found: Verified): string {
  const { record } = found;
  const { run, members, steps, decisions, cleanup } = record;
  return [
    verdictLines(file, found),
    facts([
      ['started by', cell(run.startedBy)],
      ['started', moment(cell(run.startedAt))],
      ['took', duration(secondsBetween(run.startedAt, run.endedAt))],
      ['RPO', objective(run.rpoSeconds)],
      ['RTO', objective(run.rtoSeconds)],
      ['error', run.error && `${run.error.code}: ${cell(run.error.message)}`],
      ['left behind', cleanup && leftBehind(cleanup)],
    ]),
    table(
      ['machine', 'group', 'point', 'source', 'RPO', 'RTO', 'outcome'],
      members.map(memberRow),
      'No machines.',
    ),
    ...(steps.length === 0
      ? []
      : [table(['step', 'around', 'does', 'tries', 'outcome', 'seen'], stepRows(record), '')]),
    ...(decisions.length === 0
      ? []
      : [table(['when', 'who', 'decision', 'about', 'reason'], decisionRows(record), '')]),
  ].join('\n\n');
}

function objective(given: Objective | undefined): string | undefined {
  if (given === undefined) return undefined;
  const { target, reached } = given;
  return `${seconds(reached)} reached, ${seconds(target)} wanted`;
}

function leftBehind({ remaining, providers, runTag }: NonNullable<RunRecord['cleanup']>): string {
  const what = remaining.length === 0 ? 'nothing' : remaining.map(cell).join(', ');
  return `${what}, as listed by tag ${cell(runTag)}: ${providers.map(cell).join(', ')}`;
}

function memberRow(member: RunRecord['members'][number]): string[] {
  const { machineName, group, recoveryPoint, source, rpoSeconds, rtoSeconds, outcome } = member;
  return [
    cell(machineName),
    cell(group),
    cell(recoveryPoint?.id),
    source === undefined ? '-' : words(cell(source)),
    seconds(rpoSeconds),
    seconds(rtoSeconds),
    outcome,
  ];
}

function stepRows({ steps }: RunRecord): string[][] {
  return steps.map(({ name, where, action, tries, outcome, detail }) => [
    cell(name),
    cell(where),
    words(action),
    tries === undefined ? '-' : String(tries),
    outcome,
    cell(detail),
  ]);
}

function decisionRows({ decisions }: RunRecord): string[][] {
  return decisions.map(({ at, by, decision, step, reason }) => [
    moment(cell(at)),
    cell(by),
    words(cell(decision)),
    cell(step),
    cell(reason),
  ]);
}
