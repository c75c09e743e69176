import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { moment, table } from '../../render/text.ts';

export function vcenterList(cli: Cli) {
  return verb('list', 'List registered vCenters', 'vcenter list').action(async () => {
    const vcenters = await cli.all((page) => cli.call(contract.listVCenters, { query: page }));
    cli.show(vcenters, (all) =>
      table(
        ['name', 'url', 'username', 'version', 'machines', 'discovered'],
        all.map((v) => [
          v.name,
          v.url,
          v.username,
          v.version ?? '',
          String(v.machineCount),
          v.discoveredAt === undefined ? 'never' : moment(v.discoveredAt),
        ]),
        'No vCenter is registered. Add one with `switchback vcenter add`.',
      ),
    );
  });
}
