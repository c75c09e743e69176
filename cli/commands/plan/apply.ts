import { contract } from '../../../api/contract.ts';
import type { AppliedPlan } from '../../../api/recovery-plans.ts';
import { changesInShort } from '../../../domain/plan/diff.ts';
import { verb, type Cli } from '../../cli.ts';
import { planFile } from './plan-file.ts';

export function planApply(cli: Cli) {
  return verb(
    'apply',
    'Store a recovery plan as its next version, with its hash and who applied it',
    'plan apply examples/plans/shop.yaml',
  )
    .argument('<file>', 'YAML file of the plan')
    .action(async (file) => {
      const { text, plan } = await planFile(file);
      const applied = await cli.call(contract.applyPlan, { params: { name: plan.name }, body: { text } });
      cli.show(applied, appliedText);
    });
}

function appliedText({ name, version, outcome, changes }: AppliedPlan): string {
  if (outcome === 'unchanged') return `Plan "${name}" is unchanged: version ${version} has this very text.`;
  if (outcome === 'created') return `Applied plan "${name}" as version ${version}: it is new.`;
  const what = changesInShort(changes);
  return `Applied plan "${name}" as version ${version}: ${what === '' ? 'only its wording changed' : what}.`;
}
