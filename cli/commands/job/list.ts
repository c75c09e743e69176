import { Option } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import { jobStates } from '../../../domain/job.ts';
import { verb, type Cli } from '../../cli.ts';
import { jobSummary } from '../../render/job.ts';
import { table } from '../../render/text.ts';

const LIMIT = 50;

export function jobList(cli: Cli) {
  return verb('list', `List the newest ${LIMIT} jobs`, 'job list --item web-01 --state failed')
    .option('--item <item>', 'only of this item: machine name or item id')
    .addOption(new Option('--state <state>', 'only in this state').choices(jobStates))
    .action(async ({ item, state }) => {
      const query = { limit: LIMIT, ...(item && { item }), ...(state && { state }) };
      const { items } = await cli.call(contract.listJobs, { query });
      cli.show(items, (jobs) =>
        table(
          ['id', 'kind', 'machine', 'state', 'started', 'requested by'],
          jobs.map(jobSummary),
          'There is no job.',
        ),
      );
    });
}
