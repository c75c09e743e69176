import { contract } from '../../../api/contract.ts';
import { verb, type Cli } from '../../cli.ts';
import { choiceLines } from '../../render/choices.ts';
import { jobTree } from '../../render/job.ts';

export function jobShow(cli: Cli) {
  return verb('show', 'Show a job with its tree of tasks', 'job show 5e0c1d3a-7f0f-4f2e-9d55-0c2f6a1b7e11')
    .argument('<job>', 'id of the job')
    .action(async (id) => {
      const job = await cli.call(contract.getJob, { params: { id } });
      const options = { colour: cli.io.stdout.isTTY === true, now: new Date().toISOString() };
      cli.show(job, (shown) => [jobTree(shown, options), ...choiceLines(shown)].join('\n'));
    });
}
