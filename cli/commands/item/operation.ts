/** What every operation on an item has in common: an id of its own, and waiting for its job. */
import { verb, type Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { ask, canAsk } from '../../prompt.ts';
import { watchJob } from '../job/watch.ts';

export function operationVerb<const Name extends string>(name: Name, description: string, example: string) {
  return verb(name, description, example)
    .option('--operation-id <id>', 'a repeated command with the same id is the same job (default: a new one)')
    .option('--wait', 'watch the job until it ends; Ctrl-C detaches and cancels nothing');
}

interface Options {
  readonly operationId?: string;
  readonly wait?: true;
}

export function operationBody(options: Options): { operationId?: string } {
  return options.operationId === undefined ? {} : { operationId: options.operationId };
}

export async function told(cli: Cli, options: Options, accepted: { operationId: string }): Promise<void> {
  if (options.wait === true) return watchJob(cli, accepted.operationId);
  cli.show(accepted, ({ operationId }) => `Accepted. Watch it with: switchback job watch ${operationId}`);
}

/** Says what will happen and has the name typed. @throws DR_REQUEST_INVALID when it is not, or nobody can answer. */
export async function confirmName(
  cli: Cli,
  id: string,
  consequences: readonly string[],
  what: string,
): Promise<void> {
  if (!canAsk(cli.io)) throw invalid(`nobody can be asked to confirm ${what}: pass --yes`);
  cli.io.stderr.write(`${consequences.join('\n')}\n`);
  if ((await ask(cli.io, 'Type its name to go on: ')) !== id) throw invalid(`${what} was not confirmed`);
}
