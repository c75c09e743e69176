import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { moment, table } from '../../render/text.ts';

export function planList(cli: Cli) {
  return verb('list', 'List recovery plans, each with its newest version', 'plan list').action(async () => {
    const plans = await cli.all((page) => cli.call(contract.listPlans, { query: page }));
    cli.show(plans, (all) =>
      table(
        ['name', 'version', 'groups', 'applied', 'by', 'verified', 'description'],
        all.map(({ name, version, groupCount, appliedAt, author, verified, notVerified, description }) => [
          name,
          String(version),
          String(groupCount),
          moment(appliedAt),
          author,
          verified ? 'yes' : ['no', notVerified?.message ?? []].flat().join(': '),
          description?.split('\n')[0] ?? '',
        ]),
        'There is no recovery plan. Store one with `switchback plan apply`.',
      ),
    );
  });
}
