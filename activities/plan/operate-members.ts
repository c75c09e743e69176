/**
 * The operations of many machines in one call: what has ended is told as soon as others that end about now have joined
 * it. Nothing is lost when the call is cut off: every operation is found again by its name.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { AskedMember, MemberEnd, OperateMembersInput } from '../../workflows/contracts/plan.ts';
import { operateMember } from './operate-member.ts';
import { GONE_FOR_A_MOMENT, type Waiter, type Waits } from './waits.ts';
import type { MemberCalls } from './watch-run.ts';

export interface MembersWait {
  readonly signal: AbortSignal;
  /** Of the call, from 1. */
  readonly attempt: number;
  /** What is waited for, by machine, for people. */
  report(waitsFor: Readonly<Record<string, string>>): void;
}

const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;

export interface FleetCalls extends MemberCalls {
  readonly waits: Waits<MemberEnd>;
}

export async function operateMembers(
  calls: FleetCalls,
  input: OperateMembersInput,
  waiting: MembersWait,
): Promise<readonly MemberEnd[]> {
  const { signal, attempt } = waiting;
  const ended: MemberEnd[] = [];
  const waitsFor: Record<string, string> = {};
  const stop = new AbortController();
  const wait = ({ operationId, machineName, asks = '' }: AskedMember, tell: (end: MemberEnd) => void) => ({
    signal: AbortSignal.any([signal, stop.signal]),
    report(what: string) {
      waitsFor[machineName] = what;
      waiting.report(waitsFor);
    },
    ask(question: string) {
      if (input.hearsQuestions === true && question !== asks) tell({ operationId, asks: question });
    },
  });
  const each = input.members.map(async (member) => {
    const { promise: asked, resolve: tell } = Promise.withResolvers<MemberEnd>();
    const begin = (own: Waiter) => endOf(calls, input, attempt === 1 ? member : known(member), own);
    const end = calls.waits.join(keyOf(input, member), wait(member, tell), begin);
    ended.push(await Promise.race([end, asked]));
    delete waitsFor[member.machineName];
  });
  // Those that are cut off below have nobody to tell.
  for (const one of each) one.catch(() => undefined);
  try {
    await Promise.race(each);
    await Promise.race([Promise.all(each), sleep(input.gatherSeconds * 1_000, undefined, { signal })]);
    return [...ended];
  } finally {
    stop.abort(GONE_FOR_A_MOMENT);
  }
}

function keyOf({ phase, undo }: OperateMembersInput, { operationId }: AskedMember): string {
  return `${operationId} ${phase} ${undo === true ? 'undo' : ''}`;
}

/** What may pass by itself is tried again here: it is nothing to the other machines. */
async function endOf(
  calls: MemberCalls,
  input: OperateMembersInput,
  member: AskedMember,
  wait: Waiter,
): Promise<MemberEnd> {
  const { operationId, machineName } = member;
  let asked = member;
  for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX)) {
    try {
      return { operationId, result: await operateMember(calls, { ...input, member: asked }, wait) };
    } catch (error) {
      if (wait.signal.aborted) throw error;
      if (error instanceof DrError && error.outcome !== 'retry') {
        return { operationId, error: { code: error.code, context: error.context } };
      }
      wait.report(`${machineName} is asked again: ${error instanceof Error ? error.message : String(error)}`);
      await sleep(pauseMs, undefined, { signal: wait.signal });
      asked = known(member);
    }
  }
}

/** An earlier try may have begun it. */
function known(asked: AskedMember): AskedMember {
  const { isNew: _, ...member } = asked;
  return member;
}
