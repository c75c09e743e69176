/** Starting an operation on an item, or a run of a plan: once per operation id, and visible as a job from the moment it is accepted. */
import { DrError } from '../domain/errors.ts';
import type { OperationId, ProtectedItemId } from '../domain/ids.ts';
import type { JobKind, Requester } from '../domain/job.ts';
import type { OperationAccepted } from '../workflows/contracts/types.ts';
import type { ServerDeps } from './deps.ts';
import { withoutCatalogue } from './catalogue/open.ts';

export interface Operation {
  readonly operationId: OperationId;
  readonly kind: JobKind;
  /** Absent: the run of a plan. */
  readonly itemId?: ProtectedItemId;
  /** Name of the machine or the plan. */
  readonly subject: string;
  readonly requester: Requester;
  start(): Promise<OperationAccepted>;
}

/** A repeated request with the same id is the same job, also long after it has ended; without the catalogue its workflow knows. */
export async function startOnce(deps: ServerDeps, operation: Operation): Promise<OperationAccepted> {
  const { operationId, kind, itemId, subject } = operation;
  const earlier = await withoutCatalogue(deps.catalogue.job(operationId), undefined);
  if (earlier !== undefined) {
    const isSame = itemId === undefined ? earlier.subject === subject : earlier.itemId === itemId;
    if (earlier.kind === kind && isSame) return { operationId };
    const problems = `body.operationId: belongs to job ${kindAndName(earlier)} already`;
    throw new DrError('DR_REQUEST_INVALID', { problems });
  }
  const accepted = await operation.start();
  await book(deps, operation);
  return accepted;
}

/** The work is under way whatever becomes of this entry: its workflow tells the catalogue itself. */
async function book(deps: ServerDeps, operation: Operation): Promise<void> {
  const { operationId, kind, itemId, subject, requester } = operation;
  try {
    await deps.catalogue.bookJob({
      id: operationId,
      kind,
      ...(itemId === undefined ? {} : { itemId }),
      subject,
      state: 'notStarted',
      requestedBy: requester.principal,
      revision: 0,
      startedAt: new Date().toISOString(),
      tasks: [],
    });
  } catch (error) {
    deps.log.warn({ err: error, operationId }, 'an accepted operation could not be noted in the catalogue');
  }
}

function kindAndName(job: { readonly kind: string; readonly subject: string }): string {
  return `${job.kind} of "${job.subject}"`;
}
