import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { moment, table } from '../../render/text.ts';

const HASH_CHARACTERS = 12;

export function planHistory(cli: Cli) {
  return verb('history', 'List the versions of a recovery plan, newest first', 'plan history shop')
    .argument('<plan>', 'name of the plan')
    .action(async (name) => {
      const params = { name };
      const versions = await cli.all((page) => cli.call(contract.listPlanVersions, { params, query: page }));
      cli.show(versions, (all) =>
        table(
          ['version', 'applied', 'by', 'sha256'],
          all.map(({ version, appliedAt, author, sha256 }) => [
            String(version),
            moment(appliedAt),
            author,
            sha256.slice(0, HASH_CHARACTERS),
          ]),
          'There is no version.',
        ),
      );
    });
}
