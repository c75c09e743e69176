import { Option } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import type { Cli } from '../../cli.ts';
import { deviceKeyOption } from '../../options.ts';
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
    .requiredOption('--size <size>', 'VM size after failover, such as Standard_D2s_v5')
    .requiredOption('--subnet <id>', 'complete Azure id of the subnet of a real failover')
    .option('--private-ip <address>', 'address after failover (default: the next free one)')
    .addOption(
      new Option('--exclude-disk <key>', 'device key of a disk to leave out; may be repeated')
        .argParser(deviceKeyOption)
        .default([], 'none'),
    )
    .action(async (machine, options) => {
      const { policy, location, size, subnet, privateIp, excludeDisk } = options;
      const target = {
        location,
        vmSize: size,
        subnetId: subnet,
        ...(privateIp === undefined ? {} : { privateIpAddress: privateIp }),
      };
      const body = { machine, policy, target, excludedDisks: [...excludeDisk], ...operationBody(options) };
      await told(cli, options, await cli.call(contract.protect, { body }));
    });
}
