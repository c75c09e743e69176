/** Saying what will happen, and having the name typed. */
import { contract } from '../../../api/contract.ts';
import { DrError } from '../../../domain/errors.ts';
import { consequencesOf, type Consideration } from '../../../domain/item-consequences.ts';
import type { ItemOperation } from '../../../domain/item-operations.ts';
import type { Cli } from '../../cli.ts';
import { invalid } from '../../connection.ts';
import { ask, canAsk } from '../../prompt.ts';
import { itemVerbName } from '../../verbs.ts';

/** @throws DR_OPERATION_REFUSED when the item would refuse it anyway, DR_REQUEST_INVALID when it is not confirmed or nobody can answer. */
export async function confirm(
  cli: Cli,
  asked: {
    readonly id: string;
    readonly operation: ItemOperation;
    readonly considering: Partial<Consideration>;
  },
): Promise<void> {
  const { id, operation, considering } = asked;
  const verb = itemVerbName(operation);
  const item = await cli.call(contract.getItem, { params: { id } });
  const verdict = item.allowedOperations.find((each) => each.operation === operation);
  if (verdict?.allowed === false) {
    const reason = verdict.reason ?? 'its state does not allow it';
    throw new DrError('DR_OPERATION_REFUSED', { operation: verb, item: id, reason });
  }
  if (!canAsk(cli.io)) throw invalid(`nobody can be asked to confirm ${verb} of ${id}: pass --yes`);
  const lines = consequencesOf(operation, { ...item, ...considering });
  cli.io.stderr.write(`${verb} of ${item.machineName}:\n${lines.map((line) => `  ${line}\n`).join('')}`);
  const typed = await ask(cli.io, 'Type its name to go on: ');
  if (typed !== item.machineName) throw invalid(`${verb} was not confirmed`);
}
