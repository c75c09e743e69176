import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { moment, table } from '../../render/text.ts';

export function planList(cli: Cli) {
  return verb('list', 'List recovery plans, each with its newest version', 'plan list').action(async () => {
    const plans = await cli.all((page) => cli.call(contract.listPlans, { query: page }));
    cli.show(plans, (all) =>
      table(
        ['name', 'version', 'groups', 'applied', 'by', 'description'],
        all.map(({ name, version, groupCount, appliedAt, author, description }) => [
          name,
          String(version),
          String(groupCount),
          moment(appliedAt),
          author,
          description?.split('\n')[0] ?? '',
        ]),
        'There is no recovery plan. Store one with `switchback plan apply`.',
      ),
    );
  });
}
