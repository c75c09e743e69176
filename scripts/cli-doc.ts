/** docs/cli.md, made from the commands' own help. */
import { writeFile } from 'node:fs/promises';
import { PassThrough, Writable } from 'node:stream';
import type { Command } from '@commander-js/extra-typings';
import { createProgram } from '../cli/main.ts';

const HELP_COLUMNS = 100;

const head = `# Command line

<!-- Made by \`npm run generate\` from the commands in cli/; change them there. -->

\`switchback <noun> <verb>\` is a client of the configuration server's API and has no private door.

- **Which server**: \`--server\`, \`--token-file\`, \`--ca-file\`; else \`SWITCHBACK_SERVER\`, \`SWITCHBACK_TOKEN_FILE\`,
  \`SWITCHBACK_CA_FILE\`; else the profile \`{"server", "tokenFile", "caFile"}\` in \`SWITCHBACK_PROFILE\` or
  \`~/.config/switchback/profile.json\`. The authority file (\`tls/authority.pem\` in the data directory of the
  configuration server) is the only one that is trusted; the first token is \`administrator.token\` in the same data directory.
- **Output**: \`--output text\` for people, \`--output json\` for programs: the API's own shapes, lists as arrays.
  Results go to standard output, errors and questions to standard error. Errors are one JSON object with \`json\`.
- **Operations** on items (\`protect\` and every verb that changes something) answer at once with the id of their job.
  What may be done when: [protected-item.md](protected-item.md). \`--operation-id\` makes a repeated command the same job. \`--wait\` watches it to its end.
- **Watching** draws the task tree on a terminal and writes a line per change elsewhere. With \`json\` every line is an
  event: \`{"event":"job","job":…}\` or \`{"event":"replication","activities":[…]}\`; the last one is the job as it ended.
  A configuration server that restarts is waited for. Ctrl-C detaches, ends with 130 and cancels nothing. A job that waits
  for a decision is watched on: what it waits for is told once, each decision with what it means and what to type.
- **Decisions**: \`job cancel\` finishes, rolls back or holds a running job; \`job resume\`, \`retry\`, \`skip\` and \`abandon\`
  answer one that waits. What is possible depends on the step; \`job show\` tells.
- **Questions** (an unknown certificate, the name before an operation that cannot simply be undone) are asked on a terminal only.
  Without one, first contact with a vCenter needs \`--fingerprint\` or \`--yes\`; operations that ask need \`--yes\`,
  and \`job cancel\` needs \`--mode\`. \`item check\` ends with 4 when anything stands in the way,
  \`readiness\` when anything asked for is not ready.

| Exit code | Meaning |
|---|---|
| 0 | done; a watched job succeeded |
| 1 | unexpected failure |
| 2 | bad input: an option, an argument, a field, a setting |
| 3 | not found |
| 4 | refused in this state |
| 5 | credentials or trust |
| 6 | a system out of reach |
| 7 | data integrity |
| 8 | a limit of the target |
| 9 | \`--until-input\`: the job waits for a decision |
| 10 | the watched job was cancelled |
| 11 | \`plan diff\`: applying the document would change what the plan does |
| 12 | \`evidence verify\`: whole and signed, but the key was compared with none that is trusted |
| 130 | detached by Ctrl-C; the job goes on |

A watched job that failed ends with the code of its error. All errors: [errors.md](errors.md).
`;

export function renderCliDoc(): string {
  let written = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written += chunk.toString();
      done();
    },
  });
  const { program } = createProgram({
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
    env: {},
    watchEveryMs: 0,
    interruptible: () => ({ signal: new AbortController().signal, release: () => undefined }),
  });
  const helpOf = (command: Command): string => {
    written = '';
    command.configureOutput({ getOutHelpWidth: () => HELP_COLUMNS });
    command.outputHelp();
    return written.trim();
  };
  const sections = leaves(program, 'switchback').map(
    ({ name, command }) => `\n## ${name}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`,
  );
  return head + sections.join('');
}

function leaves(command: Command, name: string): { name: string; command: Command }[] {
  if (command.commands.length === 0) return [{ name, command }];
  return command.commands.flatMap((inner) => leaves(inner as Command, `${name} ${inner.name()}`));
}

if (import.meta.main) await writeFile('docs/cli.md', renderCliDoc());
