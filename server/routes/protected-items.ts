import { DrError } from '../../domain/errors.ts';
import { asId, type ProtectedItemId } from '../../domain/ids.ts';
import type { RecoveryPoint, RecoveryPointChoice } from '../../domain/replication.ts';
import type { ItemView, OperationAccepted } from '../../workflows/contracts/types.ts';
import type { ServerDeps } from '../deps.ts';
import { operationIdOf, type HandlerRequest, type Handlers } from '../handlers.ts';
import { startOnce, type Operation } from '../operations.ts';
import { pageOf, afterKey } from '../page-in-memory.ts';
import { problemOf } from '../problem.ts';
import { protectOperation } from '../protect.ts';
import { itemNamed } from '../resolve.ts';

export function protectedItemHandlers(deps: ServerDeps) {
  const { catalogue, runbooks } = deps;
  return {
    protect: async (request) => startOnce(deps, await protectOperation(deps, request)),

    listItems: ({ query }) => catalogue.listItems(query),

    getItem: async ({ params }) => {
      const recorded = await itemNamed(catalogue, params.id);
      const [observed, newest, activities] = await Promise.all([
        observe(deps, recorded),
        newestPoint(deps, recorded.itemId),
        runbooks.progress(recorded.itemId).catch(emptyWhenAway),
      ]);
      return { ...observed, observedAt: new Date().toISOString(), activities, ...newest };
    },

    listRecoveryPoints: async ({ params, query }) => {
      const { itemId } = await itemNamed(catalogue, params.id);
      const points = newestFirst(await deps.points.list(itemId));
      return pageOf(
        afterKey(points, (point) => point.pointId, query.cursor),
        query.limit,
        (point) => point.pointId,
      );
    },

    testFailover: (request) =>
      onItem(deps, 'testFailover', request, (item, by) =>
        runbooks.testFailover(item, {
          ...by,
          choice: choiceOf(request.body.choice),
          subnetId: request.body.subnetId,
        }),
      ),

    cleanupTestFailover: (request) =>
      onItem(deps, 'cleanupTestFailover', request, (item, by) =>
        runbooks.cleanupTestFailover(item, { ...by, notes: request.body.notes }),
      ),

    failover: (request) =>
      onItem(deps, 'failover', request, (item, by) =>
        runbooks.failover(item, {
          ...by,
          choice: choiceOf(request.body.choice),
          shutdownSource: request.body.shutdownSource,
        }),
      ),

    commit: (request) => onItem(deps, 'commit', request, (item, by) => runbooks.commit(item, by)),

    disable: (request) => onItem(deps, 'disable', request, (item, by) => runbooks.disable(item, by)),
  } satisfies Partial<Handlers>;
}

type ItemOperationRequest = Pick<HandlerRequest<'commit'>, 'params' | 'body' | 'requester'>;
type By = { readonly operationId: Operation['operationId']; readonly requestedBy: Operation['requester'] };

async function onItem(
  deps: ServerDeps,
  kind: Operation['kind'],
  request: ItemOperationRequest,
  start: (item: ProtectedItemId, by: By) => Promise<OperationAccepted>,
): Promise<OperationAccepted> {
  const item = await itemNamed(deps.catalogue, request.params.id);
  const { requester } = request;
  const operationId = operationIdOf(request.body);
  return startOnce(deps, {
    operationId,
    kind,
    itemId: item.itemId,
    machineName: item.machineName,
    requester,
    start: () => start(item.itemId, { operationId, requestedBy: requester }).catch(refusedByEnd(item, kind)),
  });
}

/** An item whose workflow has ended is still known here: say what it is, not that it does not exist. */
function refusedByEnd(item: ItemView, operation: string) {
  return (error: unknown): never => {
    if (!(error instanceof DrError) || error.code !== 'DR_ITEM_UNKNOWN') throw error;
    const reason = `its runbook has ended in state ${item.state}`;
    throw new DrError(
      'DR_OPERATION_REFUSED',
      { operation, item: item.machineName, reason },
      { cause: error },
    );
  };
}

/** The workflow's own word, or what was last recorded when it cannot be asked. */
async function observe(deps: ServerDeps, recorded: ItemView) {
  try {
    const view = await deps.runbooks.describeItem(recorded.itemId);
    return { ...view, observedFrom: 'workflow' as const };
  } catch (error) {
    if (!isAway(error)) throw error;
    return { ...recorded, observedFrom: 'catalogue' as const };
  }
}

/** State and operations are told also while the storage account cannot be read. */
async function newestPoint(deps: ServerDeps, item: ProtectedItemId) {
  try {
    const [latestRecoveryPoint] = newestFirst(await deps.points.list(item));
    return latestRecoveryPoint === undefined ? {} : { latestRecoveryPoint };
  } catch (error) {
    if (!isStorageAway(error)) throw error;
    deps.log.warn({ err: error, item }, 'recovery points cannot be read');
    return { recoveryPointsProblem: problemOf(error) };
  }
}

function isStorageAway(error: unknown): error is DrError {
  return (
    error instanceof DrError &&
    (error.code === 'DR_STORAGE_UNREACHABLE' || error.code === 'DR_STORAGE_REFUSED')
  );
}

function emptyWhenAway(error: unknown): [] {
  if (isAway(error)) return [];
  throw error;
}

function isAway(error: unknown): boolean {
  return (
    error instanceof DrError && (error.code === 'DR_TEMPORAL_UNREACHABLE' || error.code === 'DR_ITEM_UNKNOWN')
  );
}

function newestFirst(points: readonly RecoveryPoint[]): RecoveryPoint[] {
  return points.toSorted((a, b) => b.barrierNumber - a.barrierNumber);
}

function choiceOf(choice: HandlerRequest<'failover'>['body']['choice']): RecoveryPointChoice {
  return choice.kind === 'custom' ? { kind: 'custom', pointId: asId(choice.pointId) } : { kind: choice.kind };
}
