import type { Cli } from '../../cli.ts';
import { POINT_HELP, pointOption } from '../../options.ts';
import { itemVerb, operate } from './operation.ts';

export function itemFailover(cli: Cli) {
  return itemVerb('failover', '--point latest')
    .option('--point <choice>', `${POINT_HELP} (default: latest)`, pointOption)
    .option('--no-shutdown-source', 'leave the source as it is: what it writes from now on is lost')
    .action((id, options) => {
      const { shutdownSource } = options;
      const input = { choice: options.point ?? { kind: 'latest' }, shutdownSource };
      return operate(cli, options, { id, operation: 'failover', input, considering: { shutdownSource } });
    });
}
