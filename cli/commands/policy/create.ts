import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { secondsOption } from '../../options.ts';
import { policyText } from './list.ts';

export function policyCreate(cli: Cli) {
  return verb(
    'create',
    'Create a replication policy',
    'policy create gold --interval 1m --retention 72h --rpo-threshold 15m',
  )
    .argument('<name>', '1-40 lower-case letters, digits, hyphens')
    .option('--interval <duration>', 'time between recovery points, such as 5m', secondsOption, 300)
    .option(
      '--retention <duration>',
      'recovery points younger than this are kept, such as 24h; 0s keeps the newest only',
      secondsOption,
      86_400,
    )
    .option(
      '--rpo-threshold <duration>',
      'health turns to warning when the newest point is older (default: twice the interval, at least 15m)',
      secondsOption,
    )
    .action(async (name, { interval, retention, rpoThreshold }) => {
      const body = {
        name,
        intervalSeconds: interval,
        retentionHours: retention / 3600,
        ...(rpoThreshold === undefined ? {} : { rpoThresholdSeconds: rpoThreshold }),
      };
      const policy = await cli.call(contract.createPolicy, { body });
      cli.show(policy, (created) => `Created ${policyText(created)}`);
    });
}
