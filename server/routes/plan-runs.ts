import { DrError } from '../../domain/errors.ts';
import { asId } from '../../domain/ids.ts';
import { pointsNotLaterThan, type CommonPoint } from '../../domain/plan/common-point.ts';
import type { PlanRunKind } from '../../domain/plan/plan.ts';
import type { RecoveryPointChoice } from '../../domain/replication.ts';
import { planJobKinds } from '../../domain/job.ts';
import type { PlanRunInput, RunMember } from '../../workflows/contracts/plan.ts';
import type { ServerDeps } from '../deps.ts';
import { operationIdOf, type HandlerRequest, type Handlers } from '../handlers.ts';
import { startOnce } from '../operations.ts';
import { predictionOf } from '../plan-prediction.ts';
import { pinPlan } from '../pin-plan.ts';

const POINTS_PAGE = 200;
/** Of one machine: more than any retention keeps. */
const POINT_PAGES_MAX = 20;

export function planRunHandlers(deps: ServerDeps) {
  return {
    runPlan: async ({ params, body, requester }) => {
      const pinned = await pinPlan(deps.catalogue, params.name);
      const operationId = operationIdOf(body);
      const members = await pinnedTo(deps, pinned.members, body.notLaterThan);
      const { kind } = body;
      const choice = choiceOf(body, pinned.members);
      const prediction = await predictionOf(deps, { kind, plan: pinned.plan, members, choice });
      const input: PlanRunInput = {
        runId: operationId,
        requestedBy: requester,
        kind,
        plan: pinned.plan,
        members,
        choice,
        shutdownSource: body.shutdownSource,
        ...subnetOf(body, pinned.subnetId),
        ...(body.place === undefined ? {} : { place: { alternate: body.place } }),
        ...(prediction === undefined ? {} : { prediction }),
      };
      return startOnce(deps, {
        operationId,
        kind: planJobKinds[body.kind],
        subject: params.name,
        requester,
        async start() {
          await deps.runbooks.runPlan(input);
          return { operationId };
        },
      });
    },

    planPoints: async ({ params, query }) => {
      const { members } = await pinPlan(deps.catalogue, params.name);
      return commonPointOf(deps, members, query.notLaterThan);
    },
  } satisfies Partial<Handlers>;
}

type RunBody = HandlerRequest<'runPlan'>['body'];

const usualChoice: Readonly<Partial<Record<PlanRunKind, RecoveryPointChoice>>> = {
  test: { kind: 'latestProcessed' },
};

/** @throws DR_REQUEST_INVALID when several machines are to start from one id: points are each machine's own */
function choiceOf({ kind, choice }: RunBody, members: readonly RunMember[]): RecoveryPointChoice {
  if (choice === undefined) return usualChoice[kind] ?? { kind: 'latest' };
  if (choice.kind === 'custom' && members.length > 1) {
    const problems = `choice: ${choice.pointId} is a point of one machine, the plan has ${members.length}: give a moment (notLaterThan)`;
    throw new DrError('DR_REQUEST_INVALID', { problems });
  }
  return choice.kind === 'custom' ? { kind: 'custom', pointId: asId(choice.pointId) } : { kind: choice.kind };
}

/** @throws DR_REQUEST_INVALID when a drill has no subnet */
function subnetOf({ kind, subnetId }: RunBody, usual: string | undefined): { readonly subnetId?: string } {
  if (kind !== 'test') return {};
  const subnet = subnetId ?? usual;
  if (subnet !== undefined) return { subnetId: subnet };
  const problems =
    'subnetId: a drill needs a subnet of an isolated network, here or in the plan (drill.subnetId)';
  throw new DrError('DR_REQUEST_INVALID', { problems });
}

async function pinnedTo(
  deps: ServerDeps,
  members: readonly RunMember[],
  notLaterThan: string | undefined,
): Promise<readonly RunMember[]> {
  if (notLaterThan === undefined) return members;
  const { chosen, without } = await commonPointOf(deps, members, notLaterThan);
  if (without.length > 0) {
    const problems = `notLaterThan: no recovery point before ${notLaterThan} of ${without.join(', ')}`;
    throw new DrError('DR_REQUEST_INVALID', { problems });
  }
  return members.map((member) => {
    const point = chosen.find(({ machine }) => machine === member.machineName);
    return point === undefined ? member : { ...member, pointId: point.pointId };
  });
}

async function commonPointOf(
  deps: ServerDeps,
  members: readonly RunMember[],
  notLaterThan: string,
): Promise<CommonPoint> {
  const listed = [];
  for (const { itemId, machineName } of members) {
    listed.push({ machine: machineName, points: await pointsOf(deps, itemId) });
  }
  return pointsNotLaterThan(listed, notLaterThan);
}

async function pointsOf({ points }: ServerDeps, itemId: RunMember['itemId']) {
  const found = [];
  let page = await points.page(itemId, { limit: POINTS_PAGE });
  found.push(...page.items);
  for (let count = 1; page.nextCursor !== undefined && count < POINT_PAGES_MAX; count += 1) {
    page = await points.page(itemId, { limit: POINTS_PAGE, after: page.nextCursor });
    found.push(...page.items);
  }
  return found;
}
