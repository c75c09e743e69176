/** Availability sets are the operator's own: they are looked at, never made. */
import { DrError } from '../../../domain/errors.ts';
import type { Cloud } from '../../../domain/ports.ts';
import { call, collect, getOrNull } from './clients.ts';
import type { Clients } from './clients.ts';
import { isSameId, nameOf, parseResourceId, subscriptionOf, typeOf } from './resource-id.ts';

const TYPE = 'Microsoft.Compute/availabilitySets';

export function createAvailabilitySets(clients: Clients): Pick<Cloud, 'availabilitySet'> {
  const { availabilitySets } = clients.compute;
  return {
    async availabilitySet(resourceId) {
      const unknown = () => new DrError('DR_AZURE_AVAILABILITY_SET_UNKNOWN', { availabilitySet: resourceId });
      const isHere = isSameId(subscriptionOf(resourceId), clients.subscriptionId);
      if (!isHere || !isSameId(typeOf(resourceId), TYPE)) throw unknown();
      const { group, name } = parseResourceId(resourceId);
      const facts = { attempted: `look at availability set ${nameOf(resourceId)}` };
      const found = await getOrNull(facts, () => availabilitySets.get(group, name));
      if (found === null) throw unknown();
      const vmSizes = await call(facts, () =>
        collect(availabilitySets.listAvailableSizes(group, name), (size) => size.name ?? null),
      );
      return {
        location: found.location,
        vmIds: (found.virtualMachines ?? []).flatMap(({ id }) => (id === undefined ? [] : [id])),
        vmSizes,
      };
    },
  };
}
