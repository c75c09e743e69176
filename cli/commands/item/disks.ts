/** Disks that join or leave a protected machine. */
import type { Cli } from '../../cli.ts';
import { deviceKeyOption } from '../../options.ts';
import { itemVerb, operate } from './operation.ts';

const diskVerb = (operation: 'addDisks' | 'excludeDisks') => (cli: Cli) =>
  itemVerb(operation, '--disk 2002')
    .requiredOption('--disk <key...>', 'device keys of the disks in vCenter', deviceKeyOption)
    .action((id, options) =>
      operate(cli, options, { id, operation, input: { deviceKeys: [...options.disk] } }),
    );

export const itemAddDisk = diskVerb('addDisks');
export const itemExcludeDisk = diskVerb('excludeDisks');
