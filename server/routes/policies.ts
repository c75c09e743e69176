import { isDeepStrictEqual } from 'node:util';
import { asId, type PolicyId } from '../../domain/ids.ts';
import { DrError } from '../../domain/errors.ts';
import type { Job, Requester } from '../../domain/job.ts';
import type { FailbackPolicy } from '../../domain/machine.ts';
import { failbackPolicyId, type CataloguedPolicy } from '../catalogue/policy-row.ts';
import type { ServerDeps } from '../deps.ts';
import { operationIdOf, type HandlerRequest, type Handlers } from '../handlers.ts';

const INTERVAL_SECONDS_MAX = 3_600;
const RETENTION_HOURS_MAX = 365 * 24;
const APP_CONSISTENT_HOURS_MAX = 12;
const RPO_THRESHOLD_SECONDS_MAX = 24 * 3_600;
const RPO_THRESHOLD_SECONDS_DEFAULT = 900;
/** Where the operator names no other, the way home is not hurried. */
const FAILBACK_INTERVAL_SECONDS_MIN_DEFAULT = 300;

type Body = HandlerRequest<'createPolicy'>['body'];

export function policyHandlers(deps: ServerDeps) {
  const { catalogue } = deps;
  return {
    createPolicy: async ({ body, requester }) => {
      const startedAt = new Date().toISOString();
      const policy = checked(body, deps.intervalSecondsMin);
      if (await catalogue.createPolicy(policy)) {
        await catalogue.recordJob(createdJob(policy, requester, startedAt));
        return policyView(policy);
      }
      const existing = await catalogue.policy(policy.id);
      if (!isDeepStrictEqual(existing, policy)) {
        throw new DrError('DR_NAME_TAKEN', { kind: 'policy', name: policy.id });
      }
      return policyView(policy);
    },

    listPolicies: async ({ query }) => {
      const page = await catalogue.listPolicies(query);
      return { ...page, items: page.items.map(policyView) };
    },
  } satisfies Partial<Handlers>;
}

/** Nothing of it is slow or can be left half done: the record is made when it is over. */
function createdJob({ id, failback }: CataloguedPolicy, { principal }: Requester, startedAt: string): Job {
  const endedAt = new Date().toISOString();
  const done = { state: 'succeeded', startedAt, endedAt } as const;
  return {
    id: operationIdOf({}),
    kind: 'createPolicy',
    subject: id,
    state: 'succeeded',
    requestedBy: principal,
    revision: Date.now(),
    startedAt,
    endedAt,
    tasks: [
      { id: 'check', name: 'Check prerequisites', ...done },
      { id: 'create', name: 'Create policy', ...done },
      { id: 'create-failback', name: 'Create failback policy', ...done, detail: failback.id },
    ],
  };
}

function checked(body: Body, intervalSecondsMin: number): CataloguedPolicy {
  const { intervalSeconds, retentionHours, appConsistentHours, autoResync } = body;
  const id = asId<PolicyId>(body.name);
  const rpoThresholdSeconds = body.rpoThresholdSeconds ?? defaultThreshold(intervalSeconds);
  within('intervalSeconds', intervalSeconds, intervalSecondsMin, INTERVAL_SECONDS_MAX);
  within('retentionHours', retentionHours, 0, RETENTION_HOURS_MAX);
  within('rpoThresholdSeconds', rpoThresholdSeconds, intervalSeconds, RPO_THRESHOLD_SECONDS_MAX);
  within('appConsistentHours', appConsistentHours, 0, APP_CONSISTENT_HOURS_MAX);
  if (autoResync !== undefined) checkWindow(autoResync);
  return {
    id,
    intervalSeconds,
    retentionHours,
    rpoThresholdSeconds,
    ...(appConsistentHours === 0 ? {} : { appConsistentHours }),
    ...(autoResync === undefined ? {} : { autoResync }),
    failback: checkedFailback(id, body, intervalSecondsMin),
  };
}

function checkedFailback(policy: PolicyId, body: Body, intervalSecondsMin: number): FailbackPolicy {
  const intervalSeconds =
    body.failback.intervalSeconds ?? Math.max(body.intervalSeconds, FAILBACK_INTERVAL_SECONDS_MIN_DEFAULT);
  const rpoThresholdSeconds = body.failback.rpoThresholdSeconds ?? defaultThreshold(intervalSeconds);
  within('failback.intervalSeconds', intervalSeconds, intervalSecondsMin, INTERVAL_SECONDS_MAX);
  within('failback.rpoThresholdSeconds', rpoThresholdSeconds, intervalSeconds, RPO_THRESHOLD_SECONDS_MAX);
  return { id: failbackPolicyId(policy), intervalSeconds, rpoThresholdSeconds };
}

/** A window of no hours would never open. */
function checkWindow({ fromHour, toHour }: NonNullable<Body['autoResync']>): void {
  within('autoResync.fromHour', fromHour, 0, 23);
  within('autoResync.toHour', toHour, 0, 24);
  if (fromHour !== toHour) return;
  const allowed = 'another hour than fromHour; 0 to 24 is the whole day';
  throw new DrError('DR_POLICY_OUT_OF_RANGE', { field: 'autoResync.toHour', value: toHour, allowed });
}

function defaultThreshold(intervalSeconds: number): number {
  return Math.max(2 * intervalSeconds, RPO_THRESHOLD_SECONDS_DEFAULT);
}

function within(field: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new DrError('DR_POLICY_OUT_OF_RANGE', { field, value, allowed: `${min} to ${max}` });
}

function policyView({ id, ...values }: CataloguedPolicy) {
  return { name: id, ...values };
}
