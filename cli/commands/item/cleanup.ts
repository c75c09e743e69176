import { contract } from '../../../api/contract.ts';
import type { Cli } from '../../cli.ts';
import { operationBody, operationVerb, told } from './operation.ts';

export function itemCleanup(cli: Cli) {
  return operationVerb(
    'cleanup',
    'Remove everything a drill made, and prove that nothing is left',
    'item cleanup web-01 --notes "application came up, checked by the owner" --wait',
  )
    .argument('<item>', 'machine name or item id')
    .option('--notes <text>', 'kept with the job', '')
    .action(async (id, options) => {
      const body = { notes: options.notes, ...operationBody(options) };
      await told(cli, options, await cli.call(contract.cleanupTestFailover, { params: { id }, body }));
    });
}
