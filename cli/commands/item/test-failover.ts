import { contract } from '../../../api/contract.ts';
import type { Cli } from '../../cli.ts';
import { POINT_HELP, pointOption, type PointChoice } from '../../options.ts';
import { operationBody, operationVerb, told } from './operation.ts';

export function itemTestFailover(cli: Cli) {
  return operationVerb(
    'test-failover',
    'Drill: start a copy of the machine in an isolated network; the machine itself is not touched',
    'item test-failover web-01 --subnet /subscriptions/…/virtualNetworks/drill/subnets/default --wait',
  )
    .argument('<item>', 'machine name or item id')
    .requiredOption('--subnet <id>', 'complete Azure id of a subnet in an isolated network')
    .option('--point <choice>', `${POINT_HELP} (default: latest-processed)`, pointOption)
    .action(async (id, options) => {
      const choice: PointChoice = options.point ?? { kind: 'latestProcessed' };
      const body = { choice, subnetId: options.subnet, ...operationBody(options) };
      await told(cli, options, await cli.call(contract.testFailover, { params: { id }, body }));
    });
}
