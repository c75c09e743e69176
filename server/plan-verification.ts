/** Whether plans were drilled as they are now: from the catalogue alone. */
import { verificationOf, type PlanProof, type Verification } from '../domain/plan/readiness.ts';
import type { StoredPlan } from '../domain/plan/stored.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import type { PlanRunRow } from './catalogue/past-runs.ts';
import { estateOf, membersIn, resolveMembers } from './plan-members.ts';

/** Of this version, with the machines it selects now. */
export async function planVerification(catalogue: Catalogue, stored: StoredPlan): Promise<Verification> {
  const { name, version, appliedAt, plan } = stored;
  const [{ members }, runs] = await Promise.all([
    resolveMembers(catalogue, plan),
    catalogue.pastRunsOfPlans([name]),
  ]);
  return verificationOf({ name, version, appliedAt, members, ...drillsOf(name, runs) });
}

/** By name, of the newest version of each plan. */
export async function planVerifications(catalogue: Catalogue): Promise<ReadonlyMap<string, Verification>> {
  const [estate, plans] = await Promise.all([estateOf(catalogue), catalogue.newestPlans()]);
  const runs = await catalogue.pastRunsOfPlans(plans.map(({ name }) => name));
  return new Map(
    plans.map(({ name, version, appliedAt, plan }) => {
      const { members } = membersIn(estate, plan);
      return [name, verificationOf({ name, version, appliedAt, members, ...drillsOf(name, runs) })];
    }),
  );
}

export function drillsOf(name: string, runs: readonly PlanRunRow[]): Pick<PlanProof, 'drills' | 'cleanups'> {
  const ofKind = (wanted: PlanRunRow['kind']) =>
    runs.filter(({ plan, kind }) => plan === name && kind === wanted);
  return { drills: ofKind('testPlan'), cleanups: ofKind('cleanupPlan') };
}
