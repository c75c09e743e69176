import { contract } from '../../../api/contract.ts';
import type { Cli } from '../../cli.ts';
import { operationBody, operationVerb, told } from './operation.ts';

export function itemCommit(cli: Cli) {
  return operationVerb('commit', 'Make a failover final', 'item commit web-01 --wait')
    .argument('<item>', 'machine name or item id')
    .action(async (id, options) => {
      const body = operationBody(options);
      await told(cli, options, await cli.call(contract.commit, { params: { id }, body }));
    });
}
