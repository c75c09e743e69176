/** What the page of a bundle shows, section by section. All of it comes from the record and its seal. */
import type { JobError } from '../job.ts';
import type { PlanRunKind } from '../plan/plan.ts';
import { sortedEntries } from './canonical.ts';
import type { Seal } from './chain.ts';
import { labelOf } from './labels.ts';
import { shown, shownLines } from './markup.ts';
import {
  prefixed,
  showerOf,
  stacked,
  tableOf,
  wordsOf,
  type Cell,
  type Piece,
  type Shower,
} from './pieces.ts';
import type {
  DecisionRecord,
  MemberRecord,
  Objective,
  PredictionRecord,
  RunRecord,
  StepRecord,
} from './record.ts';

const kindNames: Readonly<Record<PlanRunKind, string>> = {
  test: 'Drill',
  cleanup: 'Cleanup of a drill',
  failover: 'Failover',
  commit: 'Commit',
  reprotect: 'Reprotection',
  failback: 'Failback',
  reEnable: 'Re-enabled replication',
};

export function titleOf({ run, plan }: RunRecord): string {
  return `${kindNames[run.kind]} of ${plan.name}`;
}

export function headerOf(record: RunRecord): Piece[] {
  const { run, plan } = record;
  const show = showerOf('run');
  const own = (html: string): Piece => ({ label: 'heading of the page', html });
  return [
    own('<header>\n<p class="over">Evidence of a run of a recovery plan</p>\n<h1>'),
    ...show.text('kind', kindNames[run.kind]),
    own(' of '),
    ...showerOf('plan').text('name', plan.name),
    own('</h1>\n<p class="end">'),
    ...show.word('outcome', run.outcome),
    own(
      '</p>\n<p>Times are those of the server that ran the plan. A dash stands for what is not known. Whether this page was altered: <code>switchback evidence verify</code>.</p>\n</header>\n',
    ),
  ];
}

export function runSection({ run, plan }: RunRecord): Piece[] {
  const show = showerOf('run');
  const its = showerOf('plan');
  return tableOf({
    title: 'Run',
    caption: 'What ran, who started it, how it ended',
    head: ['Fact', 'Value'],
    rows: [
      fact('Run', show.code('id', run.id)),
      fact('Kind', show.text('kind', run.kind)),
      fact('Started by', show.text('startedBy', run.startedBy)),
      fact('Started', show.time('startedAt', run.startedAt)),
      fact('Ended', show.time('endedAt', run.endedAt)),
      fact('Outcome', stacked(show.word('outcome', run.outcome), problem(show, run.error))),
      fact('Plan', its.text('name', plan.name)),
      fact('Version of the plan', its.text('version', plan.version)),
      fact('SHA-256 of the plan', its.code('sha256', plan.sha256)),
    ],
  });
}

export function objectivesSection({ run }: RunRecord): Piece[] {
  const { rpoSeconds, rtoSeconds } = run;
  if (rpoSeconds === undefined && rtoSeconds === undefined) return [];
  return tableOf({
    title: 'Objectives',
    caption: 'Recovery point objective (RPO) and recovery time objective (RTO) of the run',
    head: ['Objective', 'Target', 'Reached', 'Result'],
    rows: [...objective('RPO', 'rpoSeconds', rpoSeconds), ...objective('RTO', 'rtoSeconds', rtoSeconds)],
  });
}

function objective(name: string, path: string, given: Objective | undefined): Cell[][] {
  if (given === undefined) return [];
  const { target, reached } = given;
  const show = showerOf('run');
  const isKnown = target !== undefined && reached !== undefined;
  return [
    [
      show.text(path, name),
      show.seconds(`${path}.target`, target),
      show.seconds(`${path}.reached`, reached),
      isKnown ? show.word(path, reached <= target ? 'kept' : 'missed') : show.text(path, undefined),
    ],
  ];
}

export function membersSection({ members }: RunRecord): Piece[] {
  return tableOf({
    title: 'Machines',
    caption: 'Each machine of the run, with the recovery point it was started from',
    head: ['Machine', 'Group', 'Recovery point', 'Source', 'RPO', 'RTO', 'Where', 'From, to', 'Outcome'],
    rows: members.map((member, index) => memberRow(member, index + 1)),
  });
}

function memberRow(member: MemberRecord, number: number): Cell[] {
  const show = showerOf(labelOf('member', number, member));
  const { recoveryPoint: point, azureIds = [] } = member;
  const ids = azureIds.map((id, index) => show.code(`azureIds[${index}]`, id));
  return [
    stacked(show.text('machineName', member.machineName), show.code('itemId', member.itemId)),
    show.text('group', member.group),
    stacked(
      show.code('recoveryPoint.id', point?.id),
      show.time('recoveryPoint.time', point?.time),
      show.text('recoveryPoint.consistency', point?.consistency && `${point.consistency}-consistent`),
    ),
    show.text('source', member.source && wordsOf(member.source)),
    show.seconds('rpoSeconds', member.rpoSeconds),
    show.seconds('rtoSeconds', member.rtoSeconds),
    stacked(show.code('address', member.address), ids.length === 0 ? [] : show.list('azureIds', ids)),
    stacked(show.time('startedAt', member.startedAt), show.time('endedAt', member.endedAt)),
    stacked(
      show.word('outcome', member.outcome),
      show.text('detail', member.detail),
      problem(show, member.error),
    ),
  ];
}

export function disksSection({ members }: RunRecord): Piece[] {
  const rows = members.flatMap((member, index) => diskRows(member, index + 1));
  if (rows.length === 0) return [];
  return tableOf({
    title: 'Disks',
    caption: 'Hashes of the disks, and what each is a hash of',
    head: ['Machine', 'Disk', 'Bytes', 'Hash of', 'Hash'],
    rows,
  });
}

function diskRows(member: MemberRecord, number: number): Cell[][] {
  const show = showerOf(labelOf('member', number, member));
  return (member.disks ?? []).map((disk, index) => {
    const path = (field: string) => `disks[${index}].${field}`;
    return [
      show.text('machineName', member.machineName),
      show.code(path('id'), disk.id),
      show.text(path('bytes'), disk.bytes),
      show.text(path('hashOf'), disk.hashOf),
      show.code(path('hash'), disk.hash),
    ];
  });
}

export function stepsSection({ steps }: RunRecord): Piece[] {
  if (steps.length === 0) return [];
  return tableOf({
    title: 'Steps',
    caption: 'Steps of the plan in the order in which they began, with what each has seen',
    head: ['Step', 'Around', 'Does', 'Started', 'Ended', 'Tries', 'Outcome', 'Seen', 'Decided by'],
    rows: steps.map((step, index) => stepRow(step, index + 1)),
  });
}

function stepRow(step: StepRecord, number: number): Cell[] {
  const show = showerOf(labelOf('step', number, step));
  const { approval } = step;
  const seen = sortedEntries<unknown>(step.observed ?? {}).map(([key, value]) =>
    prefixed(`${key}:`, show.text(`observed.${key}`, valueText(value))),
  );
  return [
    prefixed(`${number}.`, show.text('name', step.name)),
    show.text('where', step.where),
    stacked(
      show.text('action', wordsOf(step.action)),
      show.text(
        'isCritical',
        step.isCritical === undefined ? undefined : step.isCritical ? 'critical' : 'not critical',
      ),
    ),
    show.time('startedAt', step.startedAt),
    show.time('endedAt', step.endedAt),
    show.text('tries', step.tries),
    stacked(show.word('outcome', step.outcome), problem(show, step.error)),
    stacked(show.text('detail', step.detail), seen.length === 0 ? [] : show.list('observed', seen)),
    approval === undefined
      ? show.text('approval', undefined)
      : stacked(
          show.word('approval.answer', approval.answer),
          show.text('approval.by', approval.by ?? 'nobody answered'),
          show.time('approval.at', approval.at),
          show.text('approval.reason', approval.reason),
        ),
  ];
}

/** As it stands in the JSON, whatever it is. */
function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function decisionsSection({ decisions }: RunRecord): Piece[] {
  if (decisions.length === 0) return [];
  const isChanged = decisions.some(({ instead }) => instead !== undefined);
  return tableOf({
    title: 'Decisions',
    caption: 'What operators decided while the plan ran',
    head: ['When', 'Who', 'Decision', 'About', 'Reason', ...(isChanged ? ['Done instead'] : [])],
    rows: decisions.map((decision, index) => decisionRow(decision, index + 1, isChanged)),
  });
}

function decisionRow(decision: DecisionRecord, number: number, isChanged: boolean): Cell[] {
  const show = showerOf(labelOf('decision', number, decision));
  return [
    show.time('at', decision.at),
    show.text('by', decision.by),
    show.text('decision', wordsOf(decision.decision)),
    show.text('step', decision.step),
    show.text('reason', decision.reason),
    ...(isChanged ? [show.text('instead', decision.instead)] : []),
  ];
}

export function cleanupSection({ cleanup }: RunRecord): Piece[] {
  if (cleanup === undefined) return [];
  const show = showerOf(labelOf('cleanup', 1, cleanup));
  const texts = (path: string, values: readonly string[]) =>
    show.list(
      path,
      values.map((value, index) => show.code(`${path}[${index}]`, value)),
    );
  return tableOf({
    title: 'Cleanup',
    caption: 'After cleanup everything with the tag of the run was listed once more',
    head: ['Fact', 'Value'],
    rows: [
      fact('Tag', show.code('runTag', cleanup.runTag)),
      fact('Listed', texts('providers', cleanup.providers)),
      fact(
        'Left behind',
        cleanup.remaining.length === 0
          ? show.text('remaining', 'nothing')
          : texts('remaining', cleanup.remaining),
      ),
      fact('When', show.time('at', cleanup.at)),
    ],
  });
}

export function predictionSection({ prediction, run }: RunRecord): Piece[] {
  if (prediction === undefined) return [];
  const show = showerOf(labelOf('prediction', 1, prediction));
  const row = (
    name: string,
    field: Exclude<keyof PredictionRecord, 'madeAt'>,
    objective: 'rtoSeconds' | 'rpoSeconds',
  ) => [
    show.text(field, name),
    show.seconds(field, prediction[field]),
    showerOf('run').seconds(`${objective}.reached`, run[objective]?.reached),
  ];
  return [
    ...tableOf({
      title: 'Prediction',
      caption: 'What the simulation had said before the run, and what happened',
      head: ['Figure', 'Predicted', 'Reached'],
      rows: [
        row('RTO, every second run within', 'rtoSecondsP50', 'rtoSeconds'),
        row('RTO, nine runs of ten within', 'rtoSecondsP90', 'rtoSeconds'),
        row('RPO', 'rpoSeconds', 'rpoSeconds'),
      ],
    }),
    { label: 'prediction: madeAt', html: '<p>Predicted: ' },
    ...show.time('madeAt', prediction.madeAt),
    { label: 'prediction: madeAt', html: '</p>\n' },
  ];
}

export function planTextSection({ plan }: RunRecord): Piece[] {
  if (plan.text === undefined) return [];
  const piece = (html: string): Piece => ({ label: 'plan: text', html });
  return [
    piece('<section>\n<h2>Plan</h2>\n<pre dir="ltr">'),
    piece(shownLines(plan.text)),
    piece('</pre>\n</section>\n'),
  ];
}

export function sealSection(seal: Seal): Piece[] {
  const show = showerOf('seal');
  return tableOf({
    title: 'Seal',
    caption: 'The last hash of the chain of entries, and the key that signed it',
    head: ['Fact', 'Value'],
    rows: [
      fact('Entries', show.text('entries', seal.entries)),
      fact('Head', show.code('head', seal.head)),
      fact('Key', show.code('keyId', seal.keyId)),
      fact('Signature', show.code('signature', seal.signature)),
      fact('Written by', show.text('software', seal.software)),
    ],
  });
}

function fact(name: string, value: Cell): Cell[] {
  return [[{ label: value[0]?.label ?? '', html: shown(name) }], value];
}

function problem(show: Shower, error: JobError | undefined): Cell {
  if (error === undefined) return [];
  return stacked(
    show.code('error.code', error.code),
    show.text('error.message', error.message),
    show.text('error.remedy', error.remedy),
  );
}
