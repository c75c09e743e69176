/** What a job offers an operator: each decision, what it means, and what to type. */
import type { Job } from '../../api/jobs.ts';
import { decisionCommand } from '../verbs.ts';
import { kebab } from './text.ts';

export function choiceLines(job: Job): string[] {
  const choices = job.choices ?? [];
  if (choices.length === 0) return [];
  return [
    job.state === 'waitingForInput' ? 'It waits for a decision:' : 'It can be decided now:',
    ...choices.flatMap(({ decision, means, taskId }) => [
      `  ${kebab(decision)}: ${means}`,
      `    $ ${decisionCommand(decision, job.id, taskId)}`,
    ]),
  ];
}
