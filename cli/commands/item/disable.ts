import { contract } from '../../../api/contract.ts';
import type { Cli } from '../../cli.ts';
import { confirmName, operationBody, operationVerb, told } from './operation.ts';

const consequences = [
  'Kept: the source machine as it is, and a machine that has failed over to Azure.',
  'Deleted: recovery points, replicas, journal and data key in the storage account; snapshots of Switchback on the source.',
  'Nothing of it comes back: protecting the machine again copies it anew.',
];

export function itemDisable(cli: Cli) {
  return operationVerb(
    'disable',
    'End protection: recovery points, replicas, journal and data key of the item are deleted; the source machine, and one that has failed over to Azure, are kept. Asks for its name, or needs --yes where nobody can answer',
    'item disable web-01 --wait',
  )
    .argument('<item>', 'machine name or item id')
    .option('--yes', 'do not ask')
    .action(async (id, options) => {
      if (options.yes !== true) {
        await confirmName(cli, id, [`Protection of ${id} ends.`, ...consequences], 'ending protection');
      }
      const body = operationBody(options);
      await told(cli, options, await cli.call(contract.disable, { params: { id }, body }));
    });
}
