/** Finds what an operator names: by id, or by a name that only one thing has. */
import { DrError } from '../domain/errors.ts';
import { asId, type PolicyId, type ProtectedItemId } from '../domain/ids.ts';
import type { ReplicationPolicy } from '../domain/machine.ts';
import type { ItemView } from '../workflows/contracts/types.ts';
import type { Catalogue, ListedMachine } from './catalogue/catalogue.ts';
import { withoutCatalogue } from './catalogue/open.ts';

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

/** @throws DR_POLICY_UNKNOWN */
export async function policyNamed(catalogue: Catalogue, name: PolicyId): Promise<ReplicationPolicy> {
  const policy = await catalogue.policy(name);
  if (policy === undefined) throw new DrError('DR_POLICY_UNKNOWN', { policy: name });
  return policy;
}

/** Form of every item id: a machine's instance UUID. */
const itemIdForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** `recorded` is absent when the catalogue does not know the item or, for an id, does not answer. */
export interface NamedItem {
  readonly itemId: ProtectedItemId;
  readonly recorded?: ItemView;
}

/** As `itemNamed`, but an id needs no catalogue: whether there is such an item, its workflow knows. */
export async function itemToOperate(catalogue: Catalogue, idOrName: string): Promise<NamedItem> {
  if (!itemIdForm.test(idOrName)) {
    const recorded = await itemNamed(catalogue, idOrName);
    return { itemId: recorded.itemId, recorded };
  }
  const itemId = asId<ProtectedItemId>(idOrName.toLowerCase());
  const recorded = (await withoutCatalogue(catalogue.itemsNamed(itemId), [])).find(
    (item) => item.itemId === itemId,
  );
  return recorded === undefined ? { itemId } : { itemId, recorded };
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
