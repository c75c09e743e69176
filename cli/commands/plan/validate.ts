import { readFile } from 'node:fs/promises';
import { readPlan, type PlanProblem } from '../../../api/plan-text.ts';
import { DrError } from '../../../domain/errors.ts';
import { layersOf } from '../../../domain/plan/order.ts';
import type { RecoveryPlan } from '../../../domain/plan/plan.ts';
import { verb, type Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';

export function planValidate(cli: Cli) {
  return verb(
    'validate',
    'Check a recovery plan without a server: every problem with its line and column',
    'plan validate examples/plans/shop.yaml',
  )
    .argument('<file>', 'YAML file of the plan')
    .action(async (file) => {
      const plan = await planIn(file);
      cli.show(plan, (valid) => [`Plan "${valid.name}" is valid.`, ...orderLines(valid)].join('\n'));
    });
}

/** @throws DR_PLAN_INVALID with every problem of the file */
async function planIn(file: string): Promise<RecoveryPlan> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw invalid(`${file} cannot be read`, error);
  });
  const read = readPlan(text);
  if ('plan' in read) return read.plan;
  const problems = read.problems.map((problem) => lineOf(file, problem)).join('\n');
  throw new DrError('DR_PLAN_INVALID', { file, problems });
}

/** As compilers write it, so that editors can jump there. */
function lineOf(file: string, { line, column, path, message }: PlanProblem): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path} `}${message}`;
}

function orderLines({ groups }: RecoveryPlan): string[] {
  return layersOf(groups, 'out').map((layer, index) => `${index + 1}. ${layer.join(', ')}`);
}
