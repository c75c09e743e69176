/** What every operation on an item has in common: an id of its own, confirming, and waiting for its job. */
import { contract } from '../../../api/contract.ts';
import type { OperationBody } from '../../../api/operations.ts';
import type { RouteInput } from '../../../api/route.ts';
import { isConsequential, type Consideration } from '../../../domain/item-consequences.ts';
import { operationSummaries, type ItemOperation } from '../../../domain/item-operations.ts';
import { verb, type Cli } from '../../cli.ts';
import { itemVerbName } from '../../verbs.ts';
import { watchJob } from '../job/watch.ts';
import { confirm } from './confirm.ts';

export function operationVerb<const Name extends string>(name: Name, description: string, example: string) {
  return verb(name, description, example)
    .option('--operation-id <id>', 'a repeated command with the same id is the same job (default: a new one)')
    .option('--wait', 'watch the job until it ends; Ctrl-C detaches and cancels nothing');
}

/** An operation on one item; where machines or data are at stake it asks first, and takes `--yes`. */
export function itemVerb(operation: ItemOperation, example = '') {
  const name = itemVerbName(operation);
  const asks = isConsequential(operation)
    ? '. Says what happens to machines and data and asks for the name, or needs --yes where nobody can answer'
    : '';
  const given = example === '' ? '' : ` ${example}`;
  const plain = onItem(
    operationVerb(name, `${operationSummaries[operation]}${asks}`, `item ${name} web-01${given} --wait`),
  );
  return isConsequential(operation) ? asking(plain) : (plain as unknown as ReturnType<typeof asking>);
}

function onItem(plain: ReturnType<typeof operationVerb<string>>) {
  return plain.argument('<item>', 'machine name or item id');
}

function asking(plain: ReturnType<typeof onItem>) {
  return plain.option('--yes', 'do not ask');
}

interface Options {
  readonly operationId?: string;
  readonly wait?: true;
  readonly yes?: true;
}

export interface Asked<O extends ItemOperation> {
  readonly id: string;
  readonly operation: O;
  readonly input: Omit<OperationBody<O>, 'operationId'>;
  /** On which the consequences depend, beside the item. */
  readonly considering?: Partial<Consideration>;
}

/** Confirms where need be, starts the operation and tells, or watches, its job. */
export async function operate<O extends ItemOperation>(
  cli: Cli,
  options: Options,
  { id, operation, input, considering }: Asked<O>,
): Promise<void> {
  if (options.yes !== true && isConsequential(operation)) {
    await confirm(cli, { id, operation, considering: considering ?? {} });
  }
  const body = { ...input, ...operationBody(options) };
  const route = contract[operation];
  await told(cli, options, await cli.call(route, { params: { id }, body } as RouteInput<typeof route>));
}

export function operationBody(options: Options): { operationId?: string } {
  return options.operationId === undefined ? {} : { operationId: options.operationId };
}

export async function told(cli: Cli, options: Options, accepted: { operationId: string }): Promise<void> {
  if (options.wait === true) return watchJob(cli, accepted.operationId);
  cli.show(accepted, ({ operationId }) => `Accepted. Watch it with: switchback job watch ${operationId}`);
}
