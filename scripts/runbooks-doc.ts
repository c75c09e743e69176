/** docs/runbooks.md, made from the runbooks themselves. */
import { writeFile } from 'node:fs/promises';
import { runbooks, type AnyRunbook } from '../workflows/runbooks.ts';

const head = `# Runbooks

<!-- Made by \`npm run generate\` from workflows/; change them there. -->

Every operation of a protected item is a runbook: steps in order, played by one runner. A step that has begun is owed
its undo, newest first, even when its action never answered. While a run goes on it can be held, finished or rolled
back; after a failure it waits for an operator, or rolls back by itself where nobody may be there.

- **Key**: what a repetition finds again, so that nothing is made twice.
- **check**: changes nothing. A run that fails at its checks has changed nothing and ends.
- **best effort**: a failure is recorded and the run goes on.
- **Point of no return**: from its begin on the run can be finished, held, retried, but not rolled back.
- **If skipped**: what going on without the step means; a step without it cannot be skipped.
- **If held**: what the machine does meanwhile; where nothing is said, as at the step before.
- A step may not apply: see the runbook's own page of the source, which opens with its theory of operation.

What cancelling means at each step, played out: [cancel.md](cancel.md).
`;

export function renderRunbooksDoc(): string {
  return head + Object.entries(runbooks).map(section).join('');
}

function section([name, book]: [string, AnyRunbook]): string {
  const rows = book.steps.map((step, index) => {
    const traits = [
      ...(step.kind === 'check' ? ['check'] : []),
      ...(step.kind === 'bestEffort' ? ['best effort'] : []),
      ...(step.pointOfNoReturn === true ? ['**point of no return**'] : []),
    ];
    const undo = step.undo === undefined ? '' : `${step.undo.name}. ${step.undo.means}`;
    return row([
      String(index + 1),
      `\`${step.id}\``,
      step.name,
      step.key,
      traits.join(', '),
      undo,
      step.skip ?? '',
      step.held ?? '',
    ]);
  });
  return [
    `\n## ${name}\n`,
    `${failure(book)} Finishing: ${lower(book.finish)}\n`,
    row(['', 'Step', 'Name', 'Key', 'Traits', 'Undo', 'If skipped', 'If held']),
    row(Array.from({ length: 8 }, () => '---')),
    ...rows,
    '',
  ].join('\n');
}

function failure({ onFailure }: AnyRunbook): string {
  if (onFailure === 'wait') return 'After a failure it waits for an operator.';
  if (onFailure === 'rollBack') return 'After a failure it rolls back by itself.';
  return 'After a failure it waits for an operator; as a drill it rolls back by itself.';
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function lower(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

if (import.meta.main) await writeFile('docs/runbooks.md', renderRunbooksDoc());
