import { DrError } from '../../domain/errors.ts';
import { isPlanJob } from '../../domain/job.ts';
import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';

export function evidenceHandlers({ catalogue, evidence }: ServerDeps) {
  return {
    getEvidence: async ({ params: { id } }) => {
      const job = await catalogue.job(id);
      if (job === undefined) throw new DrError('DR_JOB_UNKNOWN', { job: id });
      const page = isPlanJob(job.kind) ? await evidence.page(job.subject, job.id) : null;
      if (page === null) throw new DrError('DR_EVIDENCE_UNKNOWN', { job: id });
      return page;
    },

    getEvidenceKey: async () => evidence.key,
  } satisfies Partial<Handlers>;
}
