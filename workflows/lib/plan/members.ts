/** The machines of a group: each by its own protected item, within the plan's limits. */
import { asId, type OperationId } from '../../../domain/ids.ts';
import { undoOfMove } from '../../../domain/plan/member-move.ts';
import type { PlanGroup, StepsAround } from '../../../domain/plan/plan.ts';
import type { MemberResult, OperateMemberInput, RunMember } from '../../contracts/plan.ts';
import { jobError } from '../failures.ts';
import { now, wasSkipped, type TaskLog } from '../job-log.ts';
import { members as calls } from '../proxies.ts';
import type { PlanContext } from './context.ts';
import { playSteps } from './steps.ts';
import { untilDone } from './tries.ts';

/** Moved at the same time where the plan says nothing. */
const MACHINES_AT_ONCE = 100;

/** When the run is to end, those that have begun come to their end first. */
export async function playMembers(context: PlanContext, group: PlanGroup, below: TaskLog): Promise<void> {
  const { plan, members } = context.input;
  const waiting = members.filter((member) => member.group === group.name);
  const takeTurns = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await playMember(context, next, stepsOf(group, next), below);
    }
  };
  const atOnceMax = plan.plan.limits.machinesAtOnce ?? MACHINES_AT_ONCE;
  const endings = await Promise.allSettled(Array.from({ length: atOnceMax }, takeTurns));
  const failed = endings.find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function playMember(
  context: PlanContext,
  member: RunMember,
  steps: StepsAround,
  below: TaskLog,
): Promise<void> {
  const { machines, book } = context;
  const { machineName, itemId, group } = member;
  await playSteps(context, steps.before, machineName, below);
  const part = {
    id: `machine-${machineName}`,
    name: machineName,
    skip: 'The run goes on without this machine.',
  };
  const startedAt = now();
  let operationId = '';
  const attempt = async (number: number): Promise<MemberResult> => {
    operationId = operationIdOf(context, member, `m-${number}`);
    if (number === 1) oweUndo(context, member);
    try {
      return await calls.operateMember({ ...askedOf(context, member), operationId: asId(operationId) });
    } catch (error) {
      const known = jobError(error);
      const told = { machineName, itemId, group, operationId, startedAt, endedAt: now() };
      book.told({
        ...told,
        outcome: 'failed',
        detail: known.message,
        error: known,
        address: null,
        facts: {},
      });
      throw error;
    }
  };
  const { done } = await untilDone(context, part, below, attempt, ({ detail }) => detail);
  const told = { machineName, itemId, group, operationId, startedAt, endedAt: now() };
  if (wasSkipped(done)) {
    book.told({ ...told, outcome: 'skipped', detail: done.skipped, address: null, facts: {} });
    return;
  }
  const { ended: outcome, detail, machine, facts } = done;
  const { address, vmId } = machine;
  machines[machineName] = machine;
  book.told({ ...told, outcome, detail, address, facts, ...(vmId === undefined ? {} : { vmId }) });
  await playSteps(context, steps.after, machineName, below);
}

/** Steps that the plan gives this machine itself. */
function stepsOf(group: PlanGroup, { machineName, itemId }: RunMember): StepsAround {
  for (const selector of group.members) {
    if (selector.by !== 'machine') continue;
    if (selector.machine === machineName || selector.machine === itemId) return selector.steps;
  }
  return { before: [], after: [] };
}

function askedOf({ input }: PlanContext, member: RunMember): Omit<OperateMemberInput, 'operationId'> {
  const { runId, requestedBy, kind, choice, shutdownSource, subnetId, place, plan, onlyDrillOf } = input;
  return {
    runId,
    requestedBy,
    kind,
    member,
    choice,
    shutdownSource,
    onBusy: plan.plan.onBusy,
    ...(subnetId === undefined ? {} : { subnetId }),
    ...(place === undefined ? {} : { place }),
    ...(onlyDrillOf === undefined ? {} : { onlyDrillOf }),
  };
}

/** Short enough for an operation's id, and the same in every replay. */
function operationIdOf({ input }: PlanContext, member: RunMember, what: string): OperationId {
  const index = input.members.findIndex(({ itemId }) => itemId === member.itemId);
  return asId(`${input.runId}-${index}-${what}`);
}

function oweUndo(context: PlanContext, member: RunMember): void {
  const { input, book } = context;
  if (undoOfMove[input.kind] === null) return;
  let tries = 0;
  book.owe({
    id: `undo-machine-${member.machineName}`,
    name: `Take back ${member.machineName}`,
    batch: member.group,
    async run() {
      tries += 1;
      const operationId = operationIdOf(context, member, `u-${tries}`);
      const asked = { ...askedOf(context, member), operationId, undo: true, onBusy: 'queue' } as const;
      const { detail } = await calls.operateMember(asked);
      const earlier = book.members.find(({ itemId }) => itemId === member.itemId);
      if (earlier !== undefined) book.told({ ...earlier, outcome: 'undone', endedAt: now() });
      return detail;
    },
  });
}
