import { contract } from '../../../api/contract.ts';
import type { Policy } from '../../../api/policies.ts';
import { verb, type Cli } from '../../cli.ts';
import { duration, table } from '../../render/text.ts';

export function policyList(cli: Cli) {
  return verb('list', 'List replication policies', 'policy list').action(async () => {
    const policies = await cli.all((page) => cli.call(contract.listPolicies, { query: page }));
    cli.show(policies, (all) =>
      table(
        ['name', 'interval', 'retention', 'rpo threshold', 'app-consistent', 'auto resync', 'failback'],
        all.map((policy) => [policy.name, ...values(policy), ...extras(policy)]),
        'There is no policy. Create one with `switchback policy create`.',
      ),
    );
  });
}

export function policyText(policy: Policy): string {
  const [interval, retention, threshold] = values(policy);
  const home = policy.failback === undefined ? '' : `; on the way home ${failback(policy.failback)}`;
  return `${policy.name}: a point every ${interval}, kept ${retention}, warning after ${threshold}${home}`;
}

function values(policy: Policy): string[] {
  return [policy.intervalSeconds, policy.retentionHours * 3600, policy.rpoThresholdSeconds].map(duration);
}

function extras({ appConsistentHours, autoResync, failback: home }: Policy): string[] {
  return [
    appConsistentHours === undefined ? '-' : `every ${appConsistentHours} h`,
    autoResync === undefined ? '-' : `${autoResync.fromHour}-${autoResync.toHour} UTC`,
    home === undefined ? '-' : failback(home),
  ];
}

function failback({ intervalSeconds, rpoThresholdSeconds }: NonNullable<Policy['failback']>): string {
  return `every ${duration(intervalSeconds)}, warning after ${duration(rpoThresholdSeconds)}`;
}
