/** What machines cost, before a drill begins. Polled from `azure.<region>`. */
import type { MachinePrice, PriceList } from '../../domain/ports.ts';
import type { PriceActivities } from '../../workflows/contracts/plan-look.ts';
import { supervised } from '../supervise.ts';

export function createPriceActivities({ prices }: { readonly prices: PriceList }): PriceActivities {
  return {
    priceMachines: ({ location, currency, machines }) =>
      supervised(async ({ signal }) => {
        const priced: MachinePrice[] = [];
        for (const machine of machines) {
          const perHour = await prices.perHour({ ...machine, location, currency }, signal);
          if (perHour !== null) priced.push({ ...machine, perHour });
        }
        return priced;
      }),
  };
}
