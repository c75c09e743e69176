import type { Cli } from '../../cli.ts';
import { itemVerb, operate } from './operation.ts';

export function itemCleanup(cli: Cli) {
  return itemVerb('cleanupTestFailover', '--notes "application came up, checked by the owner"')
    .option('--notes <text>', 'kept with the job and with the drill', '')
    .action((id, options) =>
      operate(cli, options, {
        id,
        operation: 'cleanupTestFailover',
        input: { notes: options.notes },
      }),
    );
}
