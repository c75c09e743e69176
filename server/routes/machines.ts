import { protectabilityProblems } from '../../domain/protectability.ts';
import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import { problemOf } from '../problem.ts';

export function machineHandlers(deps: ServerDeps) {
  return {
    listMachines: async ({ query }) => {
      const page = await deps.catalogue.listMachines(query);
      const items = page.items.map(({ machine, isProtected }) => ({
        ...machine,
        isProtected,
        problems: protectabilityProblems(machine, []).map(problemOf),
      }));
      return { ...page, items };
    },
  } satisfies Partial<Handlers>;
}
