import { contract } from '../../../api/contract.ts';
import type { Cli } from '../../cli.ts';
import { POINT_HELP, pointOption, type PointChoice } from '../../options.ts';
import { confirmName, operationBody, operationVerb, told } from './operation.ts';

export function itemFailover(cli: Cli) {
  return operationVerb(
    'failover',
    'Fail the machine over to Azure; asks for its name, or needs --yes where nobody can answer',
    'item failover web-01 --point latest --wait',
  )
    .argument('<item>', 'machine name or item id')
    .option('--point <choice>', `${POINT_HELP} (default: latest)`, pointOption)
    .option('--no-shutdown-source', 'leave the source as it is: what it writes from now on is lost')
    .option('--yes', 'do not ask')
    .action(async (id, options) => {
      if (options.yes !== true) {
        const source = options.shutdownSource ? 'its source is shut down' : 'its source is left as it is';
        await confirmName(cli, id, [`${id} starts in Azure and ${source}.`], 'the failover');
      }
      const choice: PointChoice = options.point ?? { kind: 'latest' };
      const body = { choice, shutdownSource: options.shutdownSource, ...operationBody(options) };
      await told(cli, options, await cli.call(contract.failover, { params: { id }, body }));
    });
}
