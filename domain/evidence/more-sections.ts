/** Sections of the page that are there only where the record has what they show: pages of earlier records stay what they were. */
import { labelOf } from './labels.ts';
import { shownLines } from './markup.ts';
import { showerOf, stacked, tableOf, type Cell, type Piece } from './pieces.ts';
import type { FailureRecord, MemberRecord, RunRecord } from './record.ts';

export function failuresSection({ members, steps }: RunRecord): Piece[] {
  const rows = [
    ...members.flatMap((member, index) =>
      failureRows(member.failures, labelOf('member', index + 1, member), member.machineName, 'machineName'),
    ),
    ...steps.flatMap((step, index) =>
      failureRows(step.failures, labelOf('step', index + 1, step), step.name, 'name'),
    ),
  ];
  if (rows.length === 0) return [];
  return tableOf({
    title: 'Failed tries',
    caption: 'Each try of a machine or a step that failed, whatever became of it afterwards',
    head: ['Machine or step', 'From, to', 'Error'],
    rows,
  });
}

function failureRows(
  failures: readonly FailureRecord[] | undefined,
  label: string,
  name: string,
  field: string,
): Cell[][] {
  const show = showerOf(label);
  return (failures ?? []).map(({ startedAt, endedAt, error }, index) => {
    const path = (of: string) => `failures[${index}].${of}`;
    return [
      show.text(field, name),
      stacked(show.time(path('startedAt'), startedAt), show.time(path('endedAt'), endedAt)),
      stacked(
        show.code(path('error.code'), error.code),
        show.text(path('error.message'), error.message),
        show.text(path('error.remedy'), error.remedy),
      ),
    ];
  });
}

export function verificationsSection({ members }: RunRecord): Piece[] {
  const rows = members.flatMap((member, index) => verificationRow(member, index + 1));
  if (rows.length === 0) return [];
  return tableOf({
    title: 'Verifications',
    caption:
      'The last comparison of each source with a recovery point, block by block, before this page was made',
    head: [
      'Machine',
      'Job',
      'Recovery point',
      'Ended',
      'Bytes compared',
      'Changed since',
      'Bytes that differ',
    ],
    rows,
  });
}

function verificationRow(member: MemberRecord, number: number): Cell[][] {
  const { machineName, verification } = member;
  if (verification === undefined) return [];
  const show = showerOf(labelOf('member', number, member));
  const path = (field: string) => `verification.${field}`;
  return [
    [
      show.text('machineName', machineName),
      show.code(path('job'), verification.job),
      show.code(path('pointId'), verification.pointId),
      show.time(path('endedAt'), verification.endedAt),
      show.text(path('comparedBytes'), verification.comparedBytes),
      show.text(path('changedBytes'), verification.changedBytes),
      show.text(path('differingBytes'), verification.differingBytes),
    ],
  ];
}

/** Signs that cannot be seen, and those that would steer a terminal, are shown by their numbers. */
export function bootLogsSection({ members }: RunRecord): Piece[] {
  const rows = members.flatMap((member, index) => bootLogRow(member, index + 1));
  if (rows.length === 0) return [];
  return [
    ...tableOf({
      title: 'Boot logs',
      caption: 'The end of the serial console log of each machine that was started',
      head: ['Machine', 'Read', 'Bytes', 'SHA-256', 'Not read because'],
      rows,
    }),
    ...members.flatMap((member, index) => bootLogText(member, index + 1)),
  ];
}

function bootLogRow(member: MemberRecord, number: number): Cell[][] {
  const { machineName, bootLog } = member;
  if (bootLog === undefined) return [];
  const show = showerOf(labelOf('member', number, member));
  return [
    [
      show.text('machineName', machineName),
      show.time('bootLog.at', bootLog.at),
      show.text('bootLog.bytes', bootLog.bytes),
      show.code('bootLog.sha256', bootLog.sha256),
      show.text('bootLog.problem', bootLog.problem),
    ],
  ];
}

function bootLogText(member: MemberRecord, number: number): Piece[] {
  const text = member.bootLog?.text;
  if (text === undefined) return [];
  const label = labelOf('member', number, member);
  const piece = (html: string): Piece => ({ label: `${label}: bootLog.text`, html });
  return [
    piece('<details>\n<summary>'),
    ...showerOf(label).text('machineName', member.machineName),
    piece('</summary>\n<pre dir="ltr">'),
    piece(shownLines(text)),
    piece('</pre>\n</details>\n'),
  ];
}
