/**
 * Checks before an operation, without doing it: everything that would refuse it now, all at once. Reads only, and takes
 * no slot: it may run beside anything. Ends by itself within minutes, whoever does not answer.
 */
import { azureSide } from './lib/azure-side.ts';
import type { FailoverRun } from './contracts/runs.ts';
import type { ItemCheckInput, ItemCheckResult } from './contracts/types.ts';
import { asId } from '../domain/ids.ts';
import type { JobError } from '../domain/job.ts';
import type { ItemSpec } from '../domain/machine.ts';
import { jobError, knownError } from './lib/failures.ts';
import { homeProblems, readyProblems } from './lib/home-preflight.ts';
import { now } from './lib/job-log.ts';
import { azure } from './lib/proxies.ts';

export async function itemCheck({ view, request }: ItemCheckInput): Promise<ItemCheckResult> {
  const { spec } = view;
  const refused = tableProblems({ view, request });
  const found =
    spec === undefined
      ? []
      : await problems(spec, { view, request }).catch((error: unknown) => [jobError(error)]);
  return { problems: [...refused, ...found], checkedAt: now() };
}

function tableProblems({ view, request }: ItemCheckInput): JobError[] {
  const verdict = view.allowedOperations.find((each) => each.operation === request.operation);
  if (verdict === undefined || verdict.allowed) return [];
  const { operation } = request;
  const reason = verdict.reason ?? '';
  return [knownError('DR_OPERATION_REFUSED', { operation, item: view.machineName, reason })];
}

async function problems(spec: ItemSpec, { view, request }: ItemCheckInput): Promise<JobError[]> {
  if (request.operation === 'failover' || request.operation === 'testFailover') {
    return azure(spec.target.location, true).checkFailover({ run: failoverRun(spec, request) });
  }
  if (request.operation === 'failback') return view.home === undefined ? [] : readyProblems(view.home);
  const { failover } = view;
  if (failover === undefined) return [];
  return homeProblems({ item: spec, azure: azureSide(spec, failover), place: request.place });
}

function failoverRun(
  item: ItemSpec,
  request: Extract<ItemCheckInput['request'], { operation: 'failover' | 'testFailover' }>,
): FailoverRun {
  const { subnetId, privateIpAddress } = item.target;
  const isTest = request.operation === 'testFailover';
  return {
    runId: asId(request.operationId),
    requestedBy: request.requestedBy,
    item,
    mode: isTest ? 'test' : 'real',
    choice: request.choice,
    subnetId: isTest ? request.subnetId : subnetId,
    ...(isTest || privateIpAddress === undefined ? {} : { privateIpAddress }),
    shutdownSource: !isTest && request.shutdownSource,
    removeFirst: [],
  };
}
