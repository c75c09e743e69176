import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { itemSummary } from '../../render/item.ts';
import { table } from '../../render/text.ts';

export function itemList(cli: Cli) {
  return verb('list', 'List protected items', 'item list').action(async () => {
    const items = await cli.all((page) => cli.call(contract.listItems, { query: page }));
    cli.show(items, (all) =>
      table(
        ['machine', 'state', 'health', 'active', 'running', 'policy'],
        all.map(itemSummary),
        'Nothing is protected. Protect a machine with `switchback item protect`.',
      ),
    );
  });
}
