import type { Cli } from '../../cli.ts';
import { POINT_HELP, pointOption } from '../../options.ts';
import { itemVerb, operate } from './operation.ts';

export function itemVerify(cli: Cli) {
  return itemVerb('verify')
    .option('--point <choice>', POINT_HELP, pointOption, { kind: 'latest' } as const)
    .action((id, options) =>
      operate(cli, options, { id, operation: 'verify', input: { choice: options.point } }),
    );
}
