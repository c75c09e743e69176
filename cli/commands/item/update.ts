import { Option } from '@commander-js/extra-typings';
import { priorities } from '../../../domain/machine.ts';
import type { Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import {
  diskTypeOption,
  GROUP_HELP,
  placement,
  SET_HELP,
  SIZE_HELP,
  SUBNET_HELP,
  TAG_HELP,
  tagOption,
  ZONE_HELP,
} from '../../target-options.ts';
import { itemVerb, operate } from './operation.ts';

/** Settings that can be taken away, by the API's names. */
const optional = {
  'resource-group': 'resourceGroup',
  zone: 'zone',
  'availability-set': 'availabilitySetId',
  tags: 'tags',
} as const;
const optionalNames = Object.keys(optional) as (keyof typeof optional)[];

export function itemUpdate(cli: Cli) {
  return itemVerb('updateSettings', '--size Standard_D4s_v5 --any-ip')
    .option('--policy <name>', 'another replication policy')
    .option('--size <size>', SIZE_HELP)
    .option('--subnet <id>', SUBNET_HELP)
    .option('--ip <address>', 'address after failover')
    .option('--any-ip', 'the next free address of the subnet after failover')
    .addOption(diskTypeOption())
    .option('--resource-group <name>', GROUP_HELP)
    .option('--zone <number>', ZONE_HELP)
    .option('--availability-set <id>', SET_HELP)
    .option('--tag <name=value>', `${TAG_HELP}; replaces all earlier tags`, tagOption)
    .addOption(new Option('--priority <share>', 'share of the site’s line, 4 to 2 to 1').choices(priorities))
    .addOption(
      new Option('--unset <setting...>', 'settings to take away').choices(optionalNames).default([], 'none'),
    )
    .action((id, options) => {
      const { policy, size, subnet, ip, anyIp, priority, unset } = options;
      if (ip !== undefined && anyIp === true) throw invalid('--ip and --any-ip exclude each other');
      const target = {
        ...(size === undefined ? {} : { vmSize: size }),
        ...(subnet === undefined ? {} : { subnetId: subnet }),
        ...(ip === undefined ? {} : { privateIpAddress: ip }),
        ...(anyIp === true ? { privateIpAddress: null } : {}),
        ...placement(options),
        ...Object.fromEntries(unset.map((setting) => [optional[setting], null])),
      };
      const input = {
        ...(policy === undefined ? {} : { policy }),
        ...(Object.keys(target).length === 0 ? {} : { target }),
        ...(priority === undefined ? {} : { priority }),
      };
      return operate(cli, options, { id, operation: 'updateSettings', input });
    });
}
