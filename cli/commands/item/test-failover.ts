import type { Cli } from '../../cli.ts';
import { POINT_HELP, pointOption } from '../../options.ts';
import { itemVerb, operate } from './operation.ts';

export function itemTestFailover(cli: Cli) {
  return itemVerb('testFailover', '--subnet /subscriptions/…/virtualNetworks/drill/subnets/default')
    .requiredOption('--subnet <id>', 'complete Azure id of a subnet in an isolated network')
    .option('--point <choice>', `${POINT_HELP} (default: latest-processed)`, pointOption)
    .action((id, options) => {
      const choice = options.point ?? { kind: 'latestProcessed' };
      const input = { choice, subnetId: options.subnet };
      return operate(cli, options, { id, operation: 'testFailover', input });
    });
}
