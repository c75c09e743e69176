import { Option } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import type { Cli } from '../../cli.ts';
import { deviceKeyOption } from '../../options.ts';
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
import { operationBody, operationVerb, told } from './operation.ts';

export function itemProtect(cli: Cli) {
  return operationVerb(
    'protect',
    'Protect a machine: replicate it to Azure from now on',
    'item protect web-01 --policy gold --location westeurope --size Standard_D2s_v5 --subnet /subscriptions/…/subnets/recovery --wait',
  )
    .argument('<machine>', 'name or id')
    .requiredOption('--policy <name>', 'replication policy')
    .requiredOption('--location <region>', 'Azure region of the recovery site')
    .requiredOption('--size <size>', SIZE_HELP)
    .requiredOption('--subnet <id>', SUBNET_HELP)
    .option('--private-ip <address>', 'address after failover (default: the next free one)')
    .addOption(diskTypeOption())
    .option('--resource-group <name>', GROUP_HELP)
    .option('--zone <number>', ZONE_HELP)
    .option('--availability-set <id>', SET_HELP)
    .option('--tag <name=value>', TAG_HELP, tagOption)
    .addOption(
      new Option('--exclude-disk <key>', 'device key of a disk to leave out; may be repeated')
        .argParser(deviceKeyOption)
        .default([], 'none'),
    )
    .option('--physical', 'it is a physical server: it comes home as a new VMware machine only')
    .action(async (machine, options) => {
      const { policy, location, size, subnet, privateIp, excludeDisk, physical } = options;
      const target = {
        location,
        vmSize: size,
        subnetId: subnet,
        ...(privateIp === undefined ? {} : { privateIpAddress: privateIp }),
        ...placement(options),
      };
      const body = {
        machine,
        policy,
        target,
        excludedDisks: [...excludeDisk],
        ...(physical === true ? { physical } : {}),
        ...operationBody(options),
      };
      await told(cli, options, await cli.call(contract.protect, { body }));
    });
}
