/** When somebody is told that readiness was lost or regained: once for each, and never for what flaps. */
import { noticeTime, type Notice } from './notification.ts';
import type { Reason } from './readiness.ts';

/** What was told of an item or a plan. */
export interface ReadinessTold {
  readonly ready: boolean;
  /** Looks in a row that saw otherwise since. */
  readonly otherwise: number;
}

export interface ReadinessSeen {
  /** Stable. */
  readonly subject: string;
  readonly kind: 'plan' | 'machine';
  readonly name: string;
  /** `unsettled`: it is being moved; what becomes of that is seen later. */
  readonly ready: boolean | 'unsettled';
  /** The oldest first. */
  readonly reasons: readonly (Reason & { readonly machine?: string })[];
}

/** Looks in a row before it is told. */
export const LOOKS = 2;
/** Spelled out in one message. */
const NAMED_MAX = 20;

export interface ReadinessLook {
  /** By subject; null: there is no such thing any more. */
  readonly told: ReadonlyMap<string, ReadinessTold | null>;
  /** At most one for what was lost and one for what was regained, however much it is. */
  readonly notices: readonly Notice[];
}

/** What is seen for the first time is told of to nobody. `at`: ISO 8601 UTC. */
export function lookAgain(
  told: ReadonlyMap<string, ReadinessTold>,
  seen: readonly ReadinessSeen[],
  at: string,
): ReadinessLook {
  const present = new Set(seen.map(({ subject }) => subject));
  const gone = [...told.keys()].filter((subject) => !present.has(subject));
  const next = new Map<string, ReadinessTold | null>(gone.map((subject) => [subject, null]));
  const lost: ReadinessSeen[] = [];
  const regained: ReadinessSeen[] = [];
  for (const each of seen) {
    const { subject, ready } = each;
    if (ready === 'unsettled') continue;
    const before = told.get(subject);
    const after = afterLook(before, ready);
    if (after.otherwise !== before?.otherwise || after.ready !== before.ready) next.set(subject, after);
    if (before !== undefined && after.ready !== before.ready) (ready ? regained : lost).push(each);
  }
  return {
    told: next,
    notices: [
      ...(lost.length === 0 ? [] : [lostNotice(lost, at)]),
      ...(regained.length === 0 ? [] : [regainedNotice(regained, at)]),
    ],
  };
}

function afterLook(before: ReadinessTold | undefined, ready: boolean): ReadinessTold {
  if (before === undefined || before.ready === ready) return { ready, otherwise: 0 };
  const otherwise = before.otherwise + 1;
  return otherwise >= LOOKS ? { ready, otherwise: 0 } : { ready: before.ready, otherwise };
}

function lostNotice(lost: readonly ReadinessSeen[], at: string): Notice {
  return {
    key: `readinessLost\n${at}`,
    event: 'readinessLost',
    subject: `Not ready any more: ${namesOf(lost)}`,
    text: [
      `Could not make their next move now (${noticeTime(at)}):`,
      ...listed(lost, (each) => [titleOf(each), ...reasonLines(each)]),
      '',
      'Everything that stands in the way:',
      '  switchback readiness',
    ].join('\n'),
    about: aboutOf(lost),
  };
}

function regainedNotice(regained: readonly ReadinessSeen[], at: string): Notice {
  return {
    key: `readinessRegained\n${at}`,
    event: 'readinessRegained',
    subject: `Ready again: ${namesOf(regained)}`,
    text: [
      `Could make their next move again (${noticeTime(at)}):`,
      ...listed(regained, (each) => [titleOf(each)]),
    ].join('\n'),
    about: aboutOf(regained),
  };
}

function reasonLines({ reasons }: ReadinessSeen): string[] {
  const [oldest] = reasons;
  if (oldest === undefined) return [];
  const { machine, message, since, remedy } = oldest;
  const where = machine === undefined ? '' : `${machine}: `;
  const when = since === undefined ? '' : ` (since ${noticeTime(since)})`;
  return [`    ${where}${message}${when}`, `    ${remedy}`];
}

function listed(all: readonly ReadinessSeen[], lines: (each: ReadinessSeen) => readonly string[]): string[] {
  const rest = all.length - NAMED_MAX;
  return [...all.slice(0, NAMED_MAX).flatMap(lines), ...(rest > 0 ? [`  and ${rest} more`] : [])];
}

function titleOf({ kind, name }: ReadinessSeen): string {
  return `  ${kind} ${name}`;
}

function namesOf(all: readonly ReadinessSeen[]): string {
  const [first, ...rest] = all;
  const more = rest.length === 0 ? '' : ` and ${rest.length} more`;
  return first === undefined ? '' : `${first.kind} ${first.name}${more}`;
}

function aboutOf(all: readonly ReadinessSeen[]): Notice['about'] {
  const names = (wanted: ReadinessSeen['kind']) =>
    all.flatMap(({ kind, name }) => (kind === wanted ? [name] : []));
  const [plans, machines] = [names('plan'), names('machine')];
  return { ...(plans.length === 0 ? {} : { plans }), ...(machines.length === 0 ? {} : { machines }) };
}
