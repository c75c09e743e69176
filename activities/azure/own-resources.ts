/** What of Azure belongs to a run, or goes before it makes anything. */
import { azureNames } from '../../domain/names.ts';
import type { Cloud } from '../../domain/ports.ts';
import type { FailoverRun } from '../../workflows/contracts/types.ts';

/** `id`: of a resource or of a part of one. Own groups are told by name, resources in the operator's group by their tag. */
export async function isOfRun(cloud: Cloud, run: FailoverRun, id: string): Promise<boolean> {
  const replaced = run.replaces === undefined ? [] : [run.replaces.runId];
  const runs = [run.runId, ...run.removeFirst, ...replaced];
  const wanted = id.toLowerCase();
  const groups = runs.map((runId) => `/resourcegroups/${azureNames.resourceGroup(runId)}/`.toLowerCase());
  if (groups.some((group) => wanted.includes(group))) return true;
  const tagged = await Promise.all(runs.map((runId) => cloud.listByRun(runId)));
  return tagged.flat().some((own) => `${wanted}/`.startsWith(`${own.toLowerCase()}/`));
}
