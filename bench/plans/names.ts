/** Where the machines of the control plane's benchmark are: a site and a region that no other process serves. */
export const SITE = 'bench';
export const REGION = 'benchland';
export const FLOOR_QUEUE = 'bench.floor';
export const SUBNET =
  '/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/drill/providers/Microsoft.Network/virtualNetworks/isolated/subnets/drill';
