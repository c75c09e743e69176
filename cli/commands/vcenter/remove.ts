import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';

export function vcenterRemove(cli: Cli) {
  return verb(
    'remove',
    'Forget a vCenter and its credential; refused while one of its machines is protected',
    'vcenter remove berlin',
  )
    .argument('<name>', 'name it was added under')
    .action(async (name) => {
      const removed = await cli.call(contract.removeVCenter, { params: { id: name } });
      cli.show(removed, (vcenter) => `Removed ${vcenter.name}`);
    });
}
