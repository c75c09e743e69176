/** Where the machines of the control plane's benchmark are: a site and a region that no other process serves. */
export const SITE = 'bench';
export const REGION = 'benchland';
/** Of the worker that runs the floor's workflows, and of another one. */
export const FLOOR_QUEUES = { here: 'bench.floor', elsewhere: 'bench.floor.elsewhere' } as const;
export const SUBNET =
  '/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/drill/providers/Microsoft.Network/virtualNetworks/isolated/subnets/drill';
