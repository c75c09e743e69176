/** The machines of a run: made ready together, then moved group by group. */
import { isCancellation } from '@temporalio/workflow';
import { asId, type OperationId } from '../../../domain/ids.ts';
import { undoOfMove } from '../../../domain/plan/member-move.ts';
import { memberSteps } from '../../../domain/plan/member-steps.ts';
import type { PlanGroup, StepsAround } from '../../../domain/plan/plan.ts';
import { needsFor, needsOfUndo } from '../../../domain/plan/supplies.ts';
import type { MemberResult, RunMember } from '../../contracts/plan.ts';
import { jobError } from '../failures.ts';
import { now, wasSkipped, type TaskLog } from '../job-log.ts';
import { demandOf } from './capacity.ts';
import type { PlanContext } from './context.ts';
import { playSteps } from './steps.ts';
import { untilDone } from './tries.ts';

/** Machines of all groups, up to the moment before they start. Begun at once: from now on `untilReady` may be asked. */
export async function makeReady(context: PlanContext): Promise<void> {
  const { members } = context.input;
  const work = (below: TaskLog) =>
    settled(
      members.map((member) => {
        const readying = playMove(context, member, 'prepare', below);
        context.moves.of(member).readying = readying;
        return readying;
      }),
    );
  const words = () => `${members.length} machines`;
  await context.log.step('make-ready', 'Make the machines of all groups ready', work, words);
}

/** A group goes on with its own machines: those of others may take longer, or wait for somebody. */
export async function untilReady({ input, moves }: PlanContext, group: PlanGroup): Promise<void> {
  const members = input.members.filter((member) => member.group === group.name);
  await settled(members.map(async (member) => moves.of(member).readying));
}

export async function playMembers(context: PlanContext, group: PlanGroup, below: TaskLog): Promise<void> {
  const members = context.input.members.filter((member) => member.group === group.name);
  await settled(members.map((member) => playMember(context, member, memberSteps(group, member), below)));
}

/** When the run ends, operations that wait for their turn are let go: they end by their own rules. */
export async function letGo(context: PlanContext): Promise<void> {
  const { book, fleet, input, moves } = context;
  const waiting = input.members.filter((member) => moves.of(member).prepared !== undefined);
  const leave = async (member: RunMember) => {
    const { operationId } = moves.nextTry(member, 'whole');
    await fleet.move({ member, operationId, phase: 'leave', needs: {} }, () => undefined);
    const detail = 'its turn to start did not come';
    book.told({ ...toldOf(context, member, operationId), outcome: 'skipped', detail });
  };
  await Promise.allSettled(waiting.map(leave));
}

/** Those that have begun come to their end, whatever becomes of the others. */
export async function settled(moves: readonly Promise<void>[]): Promise<void> {
  const endings = await Promise.allSettled(moves);
  const failed = endings.find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function playMember(
  context: PlanContext,
  member: RunMember,
  steps: StepsAround,
  below: TaskLog,
): Promise<void> {
  const { machineName } = member;
  const standing = context.moves.of(member);
  if (standing.isLeftOut) return;
  await playSteps(context, steps.before, machineName, below);
  if (!standing.isThere) await playMove(context, member, 'whole', below);
  if (standing.isThere) await playSteps(context, steps.after, machineName, below);
}

/** One operation of the machine, again and again until it is done or left out; the book says what became of it. */
async function playMove(
  context: PlanContext,
  member: RunMember,
  phase: 'whole' | 'prepare',
  below: TaskLog,
): Promise<void> {
  const { book, moves, machines } = context;
  const { machineName } = member;
  const standing = moves.of(member);
  standing.startedAt ??= now();
  const skip = 'The run goes on without this machine.';
  const part = { id: `${phase === 'prepare' ? 'ready' : 'machine'}-${machineName}`, name: machineName, skip };
  let operationId = asId<OperationId>('');
  const told = () => toldOf(context, member, operationId);
  const attempt = async (_number: number, log: TaskLog): Promise<MemberResult> => {
    const asked = moves.nextTry(member, phase);
    ({ operationId } = asked);
    oweUndo(context, member);
    const needs = needsFor(context.input.kind, demandOf(context, member), asked.phase, context.sizes);
    try {
      return await context.fleet.move({ member, ...asked, needs }, (reason) => log.say(reason));
    } catch (error) {
      if (isCancellation(error)) {
        // The run ends before it has begun: a start that never came still waits for its turn.
        if (asked.phase === 'start') moves.prepared(member, operationId);
        throw error;
      }
      const known = jobError(error);
      book.told({ ...told(), outcome: 'failed', detail: known.message, error: known });
      throw error;
    }
  };
  const { done } = await untilDone(context, part, below, attempt, ({ detail }) => detail);
  if (wasSkipped(done)) {
    standing.isLeftOut = true;
    book.told({ ...told(), outcome: 'skipped', detail: done.skipped });
    return;
  }
  const { ended, detail, machine, facts } = done;
  if (ended === 'prepared') {
    moves.prepared(member, operationId);
    return;
  }
  const { address, vmId } = machine;
  standing.isThere = true;
  // Somebody else has brought it there: it is not this run's to take back.
  if (ended === 'reached') book.disown(undoIdOf(member));
  machines[machineName] = machine;
  book.told({
    ...told(),
    outcome: ended,
    detail,
    address,
    facts,
    ...(vmId === undefined ? {} : { vmId }),
  });
}

/** What is said of the machine whatever became of it. */
function toldOf({ moves }: PlanContext, member: RunMember, operationId: OperationId) {
  const { machineName, itemId, group, digest } = member;
  const { startedAt = now() } = moves.of(member);
  return {
    machineName,
    itemId,
    group,
    operationId,
    startedAt,
    endedAt: now(),
    address: null,
    facts: {},
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Newest first: a machine that starts is owed its undo anew. */
function oweUndo(context: PlanContext, member: RunMember): void {
  const { input, book, moves } = context;
  if (undoOfMove[input.kind] === null) return;
  book.owe({
    id: undoIdOf(member),
    name: `Take back ${member.machineName}`,
    batch: member.group,
    async run() {
      const operationId = moves.nextUndo(member);
      const { prepared, operations } = moves.of(member);
      const waiting = prepared === undefined ? {} : { prepared };
      const needs = needsOfUndo(input.kind, demandOf(context, member));
      const move = {
        member,
        operationId,
        phase: 'whole',
        undo: true,
        needs,
        operations,
        ...waiting,
      } as const;
      const { detail } = await context.fleet.move(move, () => undefined);
      delete moves.of(member).prepared;
      const earlier = book.members.find(({ itemId }) => itemId === member.itemId);
      const told = earlier ?? { ...toldOf(context, member, operationId), detail };
      book.told({ ...told, outcome: 'undone', endedAt: now() });
      return detail;
    },
  });
}

function undoIdOf({ machineName }: RunMember): string {
  return `undo-machine-${machineName}`;
}
