import { contract } from '../../../api/contract.ts';
import { planDiff as diffOf } from '../../../domain/plan/diff.ts';
import { verb, type Cli } from '../../cli.ts';
import { EXIT_DIFFERS } from '../../exits.ts';
import { planChangeLines } from '../../render/plan-changes.ts';
import { planFile } from './plan-file.ts';

export function planDiff(cli: Cli) {
  return verb(
    'diff',
    `Tell what applying a recovery plan would change, by meaning; ends with ${EXIT_DIFFERS} when anything`,
    'plan diff examples/plans/shop.yaml',
  )
    .argument('<file>', 'YAML file of the plan')
    .action(async (file) => {
      const { text, plan } = await planFile(file);
      const params = { name: plan.name };
      const stored = await cli.call(contract.getPlan, { params, query: {} });
      const changes = diffOf(stored.plan, plan);
      const sameText = text === stored.text;
      const { name, version } = stored;
      cli.show({ name, version, sameText, changes }, () =>
        changes.length === 0
          ? `Plan "${name}" does what version ${version} does${sameText ? '' : '; only its wording differs'}.`
          : [`Against version ${version} of plan "${name}":`, ...planChangeLines(changes)].join('\n'),
      );
      if (changes.length > 0) cli.exitCode = EXIT_DIFFERS;
    });
}
