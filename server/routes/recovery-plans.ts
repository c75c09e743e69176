import { problemLine, readPlan } from '../../api/plan-text.ts';
import { DrError } from '../../domain/errors.ts';
import { planDiff } from '../../domain/plan/diff.ts';
import type { RecoveryPlan } from '../../domain/plan/plan.ts';
import type { PlanVersion, StoredPlan } from '../../domain/plan/stored.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { ServerDeps } from '../deps.ts';
import type { Handlers } from '../handlers.ts';
import { previewMembers } from '../plan-members.ts';
import { planVerification, planVerifications } from '../plan-verification.ts';

export function recoveryPlanHandlers({ catalogue }: ServerDeps) {
  return {
    applyPlan: async ({ params, body, requester }) => {
      const plan = readable(params.name, body.text);
      const applied = await catalogue.applyPlan({ text: body.text, plan, author: requester.principal });
      const { outcome, stored, before } = applied;
      const changes = before === undefined ? [] : planDiff(before.plan, stored.plan);
      return { ...versionView(stored), outcome, changes };
    },

    listPlans: async ({ query }) => {
      const page = await catalogue.listPlans(query);
      const verifications = await planVerifications(catalogue);
      const items = page.items.map((plan) => ({
        ...plan,
        ...(verifications.get(plan.name) ?? { verified: false }),
      }));
      return { ...page, items };
    },

    getPlan: async ({ params, query: { version } }) => {
      const stored = await planNamed(catalogue, params.name, version);
      return version === undefined ? { ...stored, ...(await planVerification(catalogue, stored)) } : stored;
    },

    listPlanVersions: async ({ params, query }) => {
      const page = await catalogue.planVersions(params.name, query);
      if (page.items.length === 0 && query.cursor === undefined) throw unknownPlan(params.name);
      return page;
    },

    getPlanMembers: async ({ params }) => {
      const stored = await planNamed(catalogue, params.name);
      const [members, verification] = await Promise.all([
        previewMembers(catalogue, stored),
        planVerification(catalogue, stored),
      ]);
      return { ...members, ...verification };
    },
  } satisfies Partial<Handlers>;
}

/** The newest version, or that one. @throws DR_PLAN_UNKNOWN, DR_PLAN_VERSION_UNKNOWN */
export async function planNamed(catalogue: Catalogue, name: string, version?: number): Promise<StoredPlan> {
  const stored = await catalogue.plan(name, version);
  if (stored !== undefined) return stored;
  if (version === undefined || (await catalogue.plan(name)) === undefined) throw unknownPlan(name);
  throw new DrError('DR_PLAN_VERSION_UNKNOWN', { plan: name, version });
}

function unknownPlan(plan: string): DrError {
  return new DrError('DR_PLAN_UNKNOWN', { plan });
}

/** @throws DR_PLAN_INVALID with the place of every problem, DR_REQUEST_INVALID when the document has another name */
function readable(name: string, text: string): RecoveryPlan {
  const read = readPlan(text);
  if ('problems' in read) {
    const problems = read.problems.map((problem) => problemLine(name, problem)).join('\n');
    throw new DrError('DR_PLAN_INVALID', { file: name, problems });
  }
  if (read.plan.name === name) return read.plan;
  const problems = `params.name: is "${name}", the document is named "${read.plan.name}"`;
  throw new DrError('DR_REQUEST_INVALID', { problems });
}

function versionView({ name, version, sha256, author, appliedAt }: PlanVersion): PlanVersion {
  return { name, version, sha256, author, appliedAt };
}
