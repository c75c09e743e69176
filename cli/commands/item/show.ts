import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { itemPage } from '../../render/item.ts';

export function itemShow(cli: Cli) {
  return verb('show', 'Show state, health, RPO and what may be done', 'item show web-01')
    .argument('<item>', 'machine name or item id')
    .action(async (id) => cli.show(await cli.call(contract.getItem, { params: { id } }), itemPage));
}
