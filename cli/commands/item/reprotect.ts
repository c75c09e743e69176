import type { Cli } from '../../cli.ts';
import { DATASTORE_HELP, HOME_NAME_HELP, NETWORK_HELP, placeOf } from '../../place-options.ts';
import { itemVerb, operate } from './operation.ts';

export function itemReprotect(cli: Cli) {
  return itemVerb('reprotect', '--datastore datastore1 --network "VM Network" --name web-01-home')
    .option('--datastore <name>', DATASTORE_HELP)
    .option('--network <name>', NETWORK_HELP)
    .option('--name <name>', HOME_NAME_HELP)
    .action((id, options) => {
      const input = placeOf(options);
      const considering = { elsewhere: input.place !== undefined };
      return operate(cli, options, { id, operation: 'reprotect', input, considering });
    });
}
