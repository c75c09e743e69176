import { Option } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { hoursOption, secondsOption, windowOption } from '../../options.ts';
import { policyText } from './list.ts';

export function policyCreate(cli: Cli) {
  return verb(
    'create',
    'Create a replication policy and the failback policy that goes with it',
    'policy create gold --interval 1m --retention 72h --rpo-threshold 15m',
  )
    .argument('<name>', '1-40 lower-case letters, digits, hyphens')
    .addOption(
      new Option('--interval <duration>', 'time between recovery points')
        .argParser(secondsOption)
        .default(300, '5m'),
    )
    .addOption(
      new Option(
        '--retention <duration>',
        'recovery points younger than this are kept; 0s keeps the newest only',
      )
        .argParser(secondsOption)
        .default(86_400, '24h'),
    )
    .option(
      '--rpo-threshold <duration>',
      'health turns to warning when the newest point is older (default: twice the interval, at least 15m)',
      secondsOption,
    )
    .option(
      '--app-consistent <duration>',
      'time between application-consistent points, 1h to 12h',
      hoursOption,
    )
    .option(
      '--auto-resync <hours>',
      'hours of the day (UTC) in which a resync may start by itself, such as 22-4',
      windowOption,
    )
    .option(
      '--failback-interval <duration>',
      'on the way home, time between states of the machine (default: the interval, at least 5m)',
      secondsOption,
    )
    .action(async (name, options) => {
      const { interval, retention, rpoThreshold, appConsistent, autoResync, failbackInterval } = options;
      const body = {
        name,
        intervalSeconds: interval,
        retentionHours: retention / 3600,
        ...(rpoThreshold === undefined ? {} : { rpoThresholdSeconds: rpoThreshold }),
        ...(appConsistent === undefined ? {} : { appConsistentHours: appConsistent }),
        ...(autoResync === undefined ? {} : { autoResync }),
        ...(failbackInterval === undefined ? {} : { failback: { intervalSeconds: failbackInterval } }),
      };
      const policy = await cli.call(contract.createPolicy, { body });
      cli.show(policy, (created) => `Created ${policyText(created)}`);
    });
}
