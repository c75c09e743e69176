/** A policy as its row holds it. */
import { asId, type PolicyId } from '../../domain/ids.ts';
import type { FailbackPolicy, ReplicationPolicy } from '../../domain/machine.ts';
import type { policies } from './schema.ts';

/** Every policy of the catalogue has its failback policy. */
export type CataloguedPolicy = ReplicationPolicy & { readonly failback: FailbackPolicy };

/** Id of the failback policy that belongs to a policy. */
export function failbackPolicyId(policy: PolicyId): PolicyId {
  return asId(`${policy}-failback`);
}

export function policyRow(policy: CataloguedPolicy): typeof policies.$inferInsert {
  const { id, intervalSeconds, retentionHours, rpoThresholdSeconds, autoResync, failback } = policy;
  return {
    id,
    intervalSeconds,
    retentionHours,
    rpoThresholdSeconds,
    appConsistentHours: policy.appConsistentHours ?? null,
    autoResyncFromHour: autoResync?.fromHour ?? null,
    autoResyncToHour: autoResync?.toHour ?? null,
    failbackIntervalSeconds: failback.intervalSeconds,
    failbackRpoThresholdSeconds: failback.rpoThresholdSeconds,
  };
}

export function policyOf(row: typeof policies.$inferSelect): CataloguedPolicy {
  const { intervalSeconds, retentionHours, rpoThresholdSeconds, appConsistentHours } = row;
  const { autoResyncFromHour: fromHour, autoResyncToHour: toHour } = row;
  const id = asId<PolicyId>(row.id);
  return {
    id,
    intervalSeconds,
    retentionHours,
    rpoThresholdSeconds,
    ...(appConsistentHours === null ? {} : { appConsistentHours }),
    ...(fromHour === null || toHour === null ? {} : { autoResync: { fromHour, toHour } }),
    failback: {
      id: failbackPolicyId(id),
      intervalSeconds: row.failbackIntervalSeconds,
      rpoThresholdSeconds: row.failbackRpoThresholdSeconds,
    },
  };
}
