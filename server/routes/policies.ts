import { asId } from '../../domain/ids.ts';
import { DrError } from '../../domain/errors.ts';
import type { ReplicationPolicy } from '../../domain/machine.ts';
import type { ServerDeps } from '../deps.ts';
import type { HandlerRequest, Handlers } from '../handlers.ts';

const INTERVAL_SECONDS_MAX = 3_600;
const RETENTION_HOURS_MAX = 365 * 24;
const RPO_THRESHOLD_SECONDS_MAX = 24 * 3_600;
const RPO_THRESHOLD_SECONDS_DEFAULT = 900;

export function policyHandlers(deps: ServerDeps) {
  const { catalogue } = deps;
  return {
    createPolicy: async ({ body }) => {
      const policy = checked(body, deps.intervalSecondsMin);
      if (await catalogue.createPolicy(policy)) return policyView(policy);
      const existing = await catalogue.policy(policy.id);
      if (existing === undefined || !sameValues(existing, policy)) {
        throw new DrError('DR_NAME_TAKEN', { kind: 'policy', name: policy.id });
      }
      return policyView(existing);
    },

    listPolicies: async ({ query }) => {
      const page = await catalogue.listPolicies(query);
      return { ...page, items: page.items.map(policyView) };
    },
  } satisfies Partial<Handlers>;
}

function checked(
  body: HandlerRequest<'createPolicy'>['body'],
  intervalSecondsMin: number,
): ReplicationPolicy {
  const { name, intervalSeconds, retentionHours } = body;
  const rpoThresholdSeconds =
    body.rpoThresholdSeconds ?? Math.max(2 * intervalSeconds, RPO_THRESHOLD_SECONDS_DEFAULT);
  within('intervalSeconds', intervalSeconds, intervalSecondsMin, INTERVAL_SECONDS_MAX);
  within('retentionHours', retentionHours, 0, RETENTION_HOURS_MAX);
  within('rpoThresholdSeconds', rpoThresholdSeconds, intervalSeconds, RPO_THRESHOLD_SECONDS_MAX);
  return { id: asId(name), intervalSeconds, retentionHours, rpoThresholdSeconds };
}

function within(field: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new DrError('DR_POLICY_OUT_OF_RANGE', { field, value, allowed: `${min} to ${max}` });
}

function sameValues(left: ReplicationPolicy, right: ReplicationPolicy): boolean {
  return (
    left.intervalSeconds === right.intervalSeconds &&
    left.retentionHours === right.retentionHours &&
    left.rpoThresholdSeconds === right.rpoThresholdSeconds
  );
}

function policyView({ id, ...values }: ReplicationPolicy) {
  return { name: id, ...values };
}
