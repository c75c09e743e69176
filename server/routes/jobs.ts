import { DrError } from '../../domain/errors.ts';
import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import { itemNamed } from '../resolve.ts';

export function jobHandlers(deps: ServerDeps) {
  return {
    listJobs: async ({ query: { item, ...rest } }) =>
      deps.catalogue.listJobs({
        ...rest,
        ...(item === undefined ? {} : { item: (await itemNamed(deps.catalogue, item)).itemId }),
      }),

    getJob: async ({ params }) => {
      const job = await deps.catalogue.job(params.id);
      if (job === undefined) throw new DrError('DR_JOB_UNKNOWN', { job: params.id });
      return job;
    },
  } satisfies Partial<Handlers>;
}
