/** Finds what an operator names: by id, or by a name that only one thing has. */
import { DrError } from '../domain/errors.ts';
import type { ItemView } from '../workflows/contracts/types.ts';
import type { Catalogue, ListedMachine } from './catalogue/catalogue.ts';

/** @throws DR_MACHINE_UNKNOWN, DR_MACHINE_AMBIGUOUS */
export async function machineNamed(catalogue: Catalogue, idOrName: string): Promise<ListedMachine> {
  const found = await catalogue.machinesNamed(idOrName);
  return single(
    found,
    ({ machine }) => machine.id,
    idOrName,
    new DrError('DR_MACHINE_UNKNOWN', { machine: idOrName }),
  );
}

/** @throws DR_ITEM_UNKNOWN, DR_MACHINE_AMBIGUOUS */
export async function itemNamed(catalogue: Catalogue, idOrName: string): Promise<ItemView> {
  const found = await catalogue.itemsNamed(idOrName);
  return single(found, (item) => item.itemId, idOrName, new DrError('DR_ITEM_UNKNOWN', { item: idOrName }));
}

function single<T>(found: readonly T[], id: (one: T) => string, machine: string, unknown: DrError): T {
  const [first] = found;
  if (first === undefined) throw unknown;
  if (found.length === 1) return first;
  throw new DrError('DR_MACHINE_AMBIGUOUS', {
    machine,
    count: found.length,
    ids: found.map(id).join(', '),
  });
}
