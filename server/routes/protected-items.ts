import { itemOperations, type ItemOperation } from '../../domain/item-operations.ts';
import { DrError, type ErrorCode } from '../../domain/errors.ts';
import { asId, type ProtectedItemId, type RecoveryPointId } from '../../domain/ids.ts';
import type { ItemCheckInput, OperationAccepted } from '../../workflows/contracts/types.ts';
import type { ServerDeps } from '../deps.ts';
import { operationIdOf, type HandlerRequest, type Handlers } from '../handlers.ts';
import { operationRequest } from '../item-operations.ts';
import { itemAnswer } from '../item-answer.ts';
import { isStorageAway, newestReadable } from '../newest-point.ts';
import { startOnce } from '../operations.ts';
import { problemOf } from '../problem.ts';
import { protectOperation } from '../protect.ts';
import { itemNamed, itemToOperate, type NamedItem } from '../resolve.ts';

export function protectedItemHandlers(deps: ServerDeps) {
  const { catalogue, runbooks } = deps;
  return {
    protect: async (request) => startOnce(deps, await protectOperation(deps, request)),

    listItems: async ({ query }) => {
      const page = await catalogue.listItems(query);
      return { ...page, items: page.items.map(itemAnswer) };
    },

    getItem: async ({ params }) => {
      const item = await itemToOperate(catalogue, params.id);
      const [observed, newest, activities] = await Promise.all([
        observe(deps, item),
        newestPoint(deps, item.itemId),
        replicating(deps, item),
      ]);
      return { ...observed, observedAt: new Date().toISOString(), activities, ...newest };
    },

    listRecoveryPoints: async ({ params, query }) => {
      const { itemId } = await itemNamed(catalogue, params.id);
      const after = query.cursor === undefined ? {} : { after: pointCursor(query.cursor) };
      return deps.points.page(itemId, { limit: query.limit, ...after });
    },

    checkItem: async ({ params, body, requester }) => {
      const item = await itemToOperate(catalogue, params.id);
      const { operation, ...input } = body;
      const by = { operationId: operationIdOf({}), requestedBy: requester };
      const [view, request] = await Promise.all([
        runbooks.describeItem(item.itemId).catch(refusedByEnd(item, operation)),
        operationRequest(operation, input, by, catalogue),
      ]);
      // The body allows just these operations.
      return runbooks.check({ view, request: request as ItemCheckInput['request'] });
    },

    ...operationHandlers(deps),
  } satisfies Partial<Handlers>;
}

type OperationHandlers = Pick<Handlers, ItemOperation>;

function operationHandlers(deps: ServerDeps): OperationHandlers {
  const handlers = itemOperations.map((operation) => [
    operation,
    (request: HandlerRequest<ItemOperation>) => operate(deps, operation, request),
  ]);
  return Object.fromEntries(handlers) as OperationHandlers;
}

async function operate(
  deps: ServerDeps,
  operation: ItemOperation,
  request: HandlerRequest<ItemOperation>,
): Promise<OperationAccepted> {
  const item = await itemToOperate(deps.catalogue, request.params.id);
  const { itemId } = item;
  const { requester } = request;
  const operationId = operationIdOf(request.body);
  const by = { operationId, requestedBy: requester };
  const booked = await operationRequest(operation, request.body, by, deps.catalogue);
  return startOnce(deps, {
    operationId,
    kind: operation,
    itemId,
    subject: item.recorded?.machineName ?? itemId,
    requester,
    start: () => deps.runbooks.operate(itemId, booked).catch(refusedByEnd(item, operation)),
  });
}

/** An item whose workflow has ended is still known here: say what it is, not that it does not exist. */
function refusedByEnd({ recorded }: NamedItem, operation: ItemOperation) {
  return (error: unknown): never => {
    const isUnknown = error instanceof DrError && error.code === 'DR_ITEM_UNKNOWN';
    if (!isUnknown || recorded === undefined) throw error;
    const reason = `its runbook has ended in state ${recorded.state}`;
    throw new DrError(
      'DR_OPERATION_REFUSED',
      { operation, item: recorded.machineName, reason },
      { cause: error },
    );
  };
}

/** The workflow's own word, or what was last recorded when it cannot be asked. */
async function observe(deps: ServerDeps, { itemId, recorded }: NamedItem) {
  try {
    const view = await deps.runbooks.describeItem(itemId);
    return { ...itemAnswer(view), observedFrom: 'workflow' as const };
  } catch (error) {
    if (!isAway(error) || recorded === undefined) throw error;
    return { ...itemAnswer(recorded), observedFrom: 'catalogue' as const };
  }
}

/** State and operations are told also while the storage account cannot be read. */
async function newestPoint(deps: ServerDeps, item: ProtectedItemId) {
  try {
    const latestRecoveryPoint = await newestReadable(deps.points, item);
    return latestRecoveryPoint === undefined ? {} : { latestRecoveryPoint };
  } catch (error) {
    if (!isStorageAway(error)) throw error;
    deps.log.warn({ err: error, item }, 'recovery points cannot be read');
    return { recoveryPointsProblem: problemOf(error) };
  }
}

/** The copy of a running operation first: it is the one that is waited for. */
async function replicating({ runbooks }: ServerDeps, { itemId, recorded }: NamedItem) {
  const running = recorded?.running;
  const [ofRun, ofItem] = await Promise.all([
    running === undefined ? [] : runbooks.progress(itemId, running.operationId).catch(emptyWhenAway),
    runbooks.progress(itemId).catch(emptyWhenAway),
  ]);
  return [...ofRun, ...ofItem];
}

function emptyWhenAway(error: unknown): [] {
  if (isAway(error)) return [];
  throw error;
}

const awayCodes: ReadonlySet<string> = new Set<ErrorCode>([
  'DR_TEMPORAL_UNREACHABLE',
  'DR_ITEM_UNKNOWN',
  'DR_JOB_UNKNOWN',
]);

function isAway(error: unknown): boolean {
  return error instanceof DrError && awayCodes.has(error.code);
}

/** @throws DR_REQUEST_INVALID */
function pointCursor(cursor: string): RecoveryPointId {
  if (/^p\d{6,15}$/.test(cursor)) return asId(cursor);
  throw new DrError('DR_REQUEST_INVALID', { problems: 'query.cursor: is not one of ours' });
}
