import { layersOf } from '../../../domain/plan/order.ts';
import type { RecoveryPlan } from '../../../domain/plan/plan.ts';
import { verb, type Cli } from '../../cli.ts';
import { planFile } from './plan-file.ts';

export function planValidate(cli: Cli) {
  return verb(
    'validate',
    'Check a recovery plan without a server: every problem with its line and column',
    'plan validate examples/plans/shop.yaml',
  )
    .argument('<file>', 'YAML file of the plan')
    .action(async (file) => {
      const { plan } = await planFile(file);
      cli.show(plan, (valid) => [`Plan "${valid.name}" is valid.`, ...orderLines(valid)].join('\n'));
    });
}

function orderLines({ groups }: RecoveryPlan): string[] {
  return layersOf(groups, 'out').map((layer, index) => `${index + 1}. ${layer.join(', ')}`);
}
