import type { ItemView } from '../workflows/contracts/types.ts';

/** An item as the API shows it: of the way home, where it leads. */
export function itemAnswer({ home, ...view }: ItemView) {
  if (home === undefined) return view;
  const { machineId, isOriginal } = home.home;
  return { ...view, home: { generation: home.generation, machineId, isOriginal } };
}
