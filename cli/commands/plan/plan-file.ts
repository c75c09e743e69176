/** The plan that an operator has at hand. */
import { readFile } from 'node:fs/promises';
import { problemLine, readPlan } from '../../../api/plan-text.ts';
import { DrError } from '../../../domain/errors.ts';
import type { RecoveryPlan } from '../../../domain/plan/plan.ts';
import { invalid } from '../../connection.ts';

/** @throws DR_PLAN_INVALID with every problem of the file, DR_REQUEST_INVALID when it cannot be read */
export async function planFile(
  file: string,
): Promise<{ readonly text: string; readonly plan: RecoveryPlan }> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw invalid(`${file} cannot be read`, error);
  });
  const read = readPlan(text);
  if ('plan' in read) return { text, plan: read.plan };
  const problems = read.problems.map((problem) => problemLine(file, problem)).join('\n');
  throw new DrError('DR_PLAN_INVALID', { file, problems });
}
