import { contract } from '../../api/contract.ts';
import { errorCatalogue } from '../../domain/errors.ts';
import { verb, type Cli } from '../cli.ts';
import { planReadinessPage, readinessPage } from '../render/readiness.ts';

const exit = errorCatalogue.DR_PLAN_NOT_READY.exit;

export function readiness(cli: Cli) {
  return verb(
    'readiness',
    `Show what could fail over or back now, in about how long, losing about how much, and why not; ends with ${exit} when something is not ready`,
    'readiness --plan shop',
  )
    .option('--plan <name>', 'one recovery plan and its machines; absent: everything')
    .action(async ({ plan: name }) => {
      if (name === undefined) {
        const all = await cli.call(contract.getReadiness, {});
        cli.show(all, readinessPage);
        if (![...all.plans, ...all.items].every(({ ready }) => ready)) cli.exitCode = exit;
        return;
      }
      const plan = await cli.call(contract.getPlanReadiness, { params: { name } });
      cli.show(plan, planReadinessPage);
      if (!plan.ready) cli.exitCode = exit;
    });
}
