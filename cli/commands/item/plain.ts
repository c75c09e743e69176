/** Operations that take nothing: one verb each. */
import type { ItemOperation } from '../../../domain/item-operations.ts';
import type { Cli } from '../../cli.ts';
import { itemVerb, operate } from './operation.ts';

const plainOperations = [
  'rollback',
  'commit',
  'completeMigration',
  'failback',
  'cancelFailback',
  'reEnable',
  'pause',
  'resume',
  'resync',
  'disable',
  'purge',
] as const satisfies readonly ItemOperation[];

export const plainItemVerbs = plainOperations.map(
  (operation) => (cli: Cli) =>
    itemVerb(operation).action((id, options) => operate(cli, options, { id, operation, input: {} })),
);
