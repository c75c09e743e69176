/** docs/errors.md, made from the error catalogue. */
import { writeFile } from 'node:fs/promises';
import { errorCatalogue, type ErrorOutcome } from '../domain/errors.ts';

const outcomes: Readonly<Record<ErrorOutcome, string>> = {
  retry: 'is tried again by itself',
  pause: 'waits for an operator',
  fail: 'ends the operation',
};

const head = `# Errors

<!-- Made by \`npm run generate\` from domain/errors.ts; change it there. -->

Every error has a code, a message that says what was attempted on what, and a remedy. The API answers
\`{code, message, remedy, context, requestId}\` with the HTTP status below; the CLI prints message, remedy and
request id, and ends with the exit code below. Watching a job that failed ends with the code of the job's error.

| Exit code | Class |
|---|---|
| 0 | done; a watched job succeeded |
| 1 | unexpected failure |
| 2 | bad input |
| 3 | not found |
| 4 | refused in this state |
| 5 | credentials or trust |
| 6 | a system out of reach |
| 7 | data integrity |
| 8 | a limit of the target |
| 9 | \`--until-input\`: the job waits for a decision |
| 10 | the watched job was cancelled |
| 12 | \`evidence verify\`: whole and signed, but the key was compared with none that is trusted |
| 130 | detached by Ctrl-C; the job goes on |
`;

export function renderErrorsDoc(): string {
  return head + Object.entries(errorCatalogue).map(section).join('');
}

function section([code, error]: (typeof entries)[number]): string {
  return [
    `\n## ${code}\n`,
    `${error.message.replaceAll(/\{(\w+)\}/g, '*$1*')}.\n`,
    `${error.remedy.replaceAll(/\{(\w+)\}/g, '*$1*')}\n`,
    `HTTP ${error.http} · exit code ${error.exit} · in a runbook it ${outcomes[error.outcome]}.\n`,
  ].join('\n');
}

const entries = Object.entries(errorCatalogue);

if (import.meta.main) await writeFile('docs/errors.md', renderErrorsDoc());
