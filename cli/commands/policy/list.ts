import { contract } from '../../../api/contract.ts';
import type { Policy } from '../../../api/policies.ts';
import { verb, type Cli } from '../../cli.ts';
import { duration, table } from '../../render/text.ts';

export function policyList(cli: Cli) {
  return verb('list', 'List replication policies', 'policy list').action(async () => {
    const policies = await cli.all((page) => cli.call(contract.listPolicies, { query: page }));
    cli.show(policies, (all) =>
      table(
        ['name', 'interval', 'retention', 'rpo threshold'],
        all.map((policy) => [policy.name, ...values(policy)]),
        'There is no policy. Create one with `switchback policy create`.',
      ),
    );
  });
}

export function policyText(policy: Policy): string {
  const [interval, retention, threshold] = values(policy);
  return `${policy.name}: a point every ${interval}, kept ${retention}, warning after ${threshold}`;
}

function values(policy: Policy): string[] {
  return [policy.intervalSeconds, policy.retentionHours * 3600, policy.rpoThresholdSeconds].map(duration);
}
