import type { Cli } from '../../cli.ts';
import { POINT_HELP, pointOption } from '../../options.ts';
import { itemVerb, operate } from './operation.ts';

export function itemChangePoint(cli: Cli) {
  return itemVerb('changeRecoveryPoint', '--point p000012')
    .requiredOption('--point <choice>', POINT_HELP, pointOption)
    .action((id, options) =>
      operate(cli, options, { id, operation: 'changeRecoveryPoint', input: { choice: options.point } }),
    );
}
