import { Option } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import { errorCatalogue } from '../../../domain/errors.ts';
import { planRunKinds } from '../../../domain/plan/plan.ts';
import { verb, type Cli } from '../../cli.ts';
import { wholeOption } from '../../options.ts';
import { simulationPage } from '../../render/simulation.ts';
import { kebab } from '../../render/text.ts';

const kinds = new Map(planRunKinds.map((kind) => [kebab(kind), kind]));
const exit = errorCatalogue.DR_PLAN_NOT_READY.exit;

export function planSimulate(cli: Cli) {
  return verb(
    'simulate',
    `Play a run of a plan with the durations of earlier runs: how long, losing how much, what decides, what a drill costs, what is in the way. Nothing is touched; ends with ${exit} when something is in the way`,
    'plan simulate shop --kind failover',
  )
    .argument('<plan>', 'name of the plan')
    .addOption(
      new Option('--kind <kind>', 'what the run does').choices([...kinds.keys()]).makeOptionMandatory(),
    )
    .option('--runs <count>', 'repetitions, 100 to 100000 (default 1000)', wholeOption)
    .option('--seed <number>', 'repeats a simulation', wholeOption)
    .option(
      '--subnet <id>',
      "of a drill: complete Azure id of a subnet in an isolated network (default: the plan's)",
    )
    .action(async (name, { kind: kindName, runs, seed, subnet }) => {
      const body = {
        kind: kinds.get(kindName) ?? 'test',
        ...(runs === undefined ? {} : { runs }),
        ...(seed === undefined ? {} : { seed }),
        ...(subnet === undefined ? {} : { subnetId: subnet }),
      };
      const played = await cli.call(contract.simulatePlan, { params: { name }, body });
      cli.show(played, simulationPage);
      if (played.clashes.length > 0) cli.exitCode = exit;
    });
}
