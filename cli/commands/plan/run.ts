import { Argument } from '@commander-js/extra-typings';
import { contract } from '../../../api/contract.ts';
import { planRunKinds, type PlanRunKind } from '../../../domain/plan/plan.ts';
import type { Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { momentOption, POINT_HELP, pointOption } from '../../options.ts';
import { DATASTORE_HELP, NETWORK_HELP, placeOf } from '../../place-options.ts';
import { ask, canAsk } from '../../prompt.ts';
import { kebab } from '../../render/text.ts';
import { operationBody, operationVerb, told } from '../item/operation.ts';

/** What a run does to machines; the others change nothing that runs for real. */
const consequences: Readonly<Partial<Record<PlanRunKind, string>>> = {
  failover:
    'Every machine of the plan is shut down on premises, unless --no-shutdown-source says otherwise, and started in Azure.',
  commit: 'Every failover or failback of the plan is made final: it cannot be rolled back afterwards.',
  failback: 'Every machine of the plan is stopped in Azure and started on premises.',
};

const kinds = new Map(planRunKinds.map((kind) => [kebab(kind), kind]));

export function planRun(cli: Cli) {
  return operationVerb(
    'run',
    'Run a recovery plan as it was applied last. Runs that move machines ask for the name, or need --yes where nobody can answer',
    'plan run shop test --subnet /subscriptions/3f2504e0-4f89-41d3-9a0c-0305e82c3301/resourceGroups/dr/providers/Microsoft.Network/virtualNetworks/drill/subnets/default --wait',
  )
    .argument('<plan>', 'name of the plan')
    .addArgument(new Argument('<kind>', 'what the run does').choices([...kinds.keys()]))
    .option('--point <choice>', `of a drill or failover: ${POINT_HELP}`, pointOption)
    .option(
      '--not-later-than <time>',
      'of a drill or failover: the newest point of each machine up to this moment (ISO 8601)',
      momentOption,
    )
    .option(
      '--subnet <id>',
      "of a drill: complete Azure id of a subnet in an isolated network (default: the plan's)",
    )
    .option('--no-shutdown-source', 'of a failover: the sources are left as they are')
    .option('--datastore <name>', `of a reprotect: ${DATASTORE_HELP}`)
    .option('--network <name>', `of a reprotect: ${NETWORK_HELP}`)
    .option('--yes', 'do not ask')
    .action(async (name, kindName, options) => {
      const kind = kinds.get(kindName) ?? 'test';
      if (options.yes !== true) await confirm(cli, name, kind);
      const body = {
        kind,
        shutdownSource: options.shutdownSource,
        ...(options.point && { choice: options.point }),
        ...(options.notLaterThan && { notLaterThan: options.notLaterThan }),
        ...(options.subnet && { subnetId: options.subnet }),
        ...placeOf(options),
        ...operationBody(options),
      };
      await told(cli, options, await cli.call(contract.runPlan, { params: { name }, body }));
    });
}

/** @throws DR_REQUEST_INVALID when it is not confirmed or nobody can answer */
async function confirm(cli: Cli, name: string, kind: PlanRunKind): Promise<void> {
  const means = consequences[kind];
  if (means === undefined) return;
  if (!canAsk(cli.io)) throw invalid(`nobody can be asked to confirm ${kind} of plan ${name}: pass --yes`);
  cli.io.stderr.write(`${kind} of plan ${name}:\n  ${means}\n`);
  const typed = await ask(cli.io, 'Type its name to go on: ');
  if (typed !== name) throw invalid(`${kind} was not confirmed`);
}
