import { contract } from '../../../api/contract.ts';
import type { Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { POINT_HELP, pointOption, type PointChoice } from '../../options.ts';
import { ask, canAsk } from '../../prompt.ts';
import { operationBody, operationVerb, told } from './operation.ts';

export function itemFailover(cli: Cli) {
  return operationVerb(
    'failover',
    'Fail the machine over to Azure; asks for its name where a person can answer',
    'item failover web-01 --point latest --wait',
  )
    .argument('<item>', 'machine name or item id')
    .option('--point <choice>', `${POINT_HELP} (default: latest)`, pointOption)
    .option('--no-shutdown-source', 'leave the source as it is: what it writes from now on is lost')
    .option('--yes', 'do not ask')
    .action(async (id, options) => {
      if (options.yes !== true && canAsk(cli.io)) await confirm(cli, id, options.shutdownSource);
      const choice: PointChoice = options.point ?? { kind: 'latest' };
      const body = { choice, shutdownSource: options.shutdownSource, ...operationBody(options) };
      await told(cli, options, await cli.call(contract.failover, { params: { id }, body }));
    });
}

async function confirm(cli: Cli, id: string, shutdownSource: boolean): Promise<void> {
  const source = shutdownSource ? 'its source is shut down' : 'its source is left as it is';
  cli.io.stderr.write(`${id} starts in Azure and ${source}.\n`);
  if ((await ask(cli.io, 'Type its name to go on: ')) !== id) throw invalid('the failover was not confirmed');
}
