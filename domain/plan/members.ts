/** From selectors to machines: what a run pins when it begins, and what has drifted since. */
import type { ProtectedItemId } from '../ids.ts';
import type { MemberSelector, RecoveryPlan } from './plan.ts';

/** A machine as discovery knows it, for selecting. */
export interface Candidate {
  readonly machineId: string;
  readonly name: string;
  /** `category/name`. Absent: vCenter has not told them. */
  readonly tags?: readonly string[];
  /** From the datacenter down, `/dc/vm/shop`. Absent: vCenter has not told it. */
  readonly folder?: string;
  readonly isProtected: boolean;
  /** Of the protected item; it stays when the machine comes home as another one. */
  readonly itemId?: ProtectedItemId;
}

export interface PlannedMember {
  readonly machineId: string;
  readonly name: string;
  readonly group: string;
  readonly itemId?: ProtectedItemId;
}

export interface MemberProblem {
  readonly group: string;
  /** As it is written in the plan. */
  readonly selector: string;
  readonly reason: string;
}

export interface Membership {
  readonly members: readonly PlannedMember[];
  readonly problems: readonly MemberProblem[];
}

/**
 * Every machine once: one that two groups select, or that is not protected, is a problem; so is a selector that finds
 * nothing, and one by tag or folder while those of a protected machine are not known.
 */
export function membershipOf(plan: RecoveryPlan, candidates: readonly Candidate[]): Membership {
  const members = new Map<string, PlannedMember>();
  const problems: MemberProblem[] = [];
  for (const { name: group, members: selectors } of plan.groups) {
    for (const selector of selectors) {
      const found = candidates.filter((candidate) => selects(selector, candidate));
      const told = (reason: string) => problems.push({ group, selector: selectorWords(selector), reason });
      const unknown = candidates.filter(
        (candidate) => candidate.isProtected && isHidden(selector, candidate),
      );
      if (unknown.length > 0) told(hiddenReason(selector, unknown));
      if (found.length === 0) told('selects no machine');
      if (selector.by === 'machine' && found.length > 1) {
        told(`is the name of ${found.length} machines: use the id`);
        continue;
      }
      for (const { machineId, name, isProtected, itemId } of found) {
        const earlier = members.get(machineId);
        if (!isProtected) told(`machine "${name}" is not protected`);
        else if (earlier !== undefined && earlier.group !== group) {
          told(`machine "${name}" is in group "${earlier.group}" already`);
        } else
          members.set(machineId, { machineId, name, group, ...(itemId === undefined ? {} : { itemId }) });
      }
    }
  }
  return { members: [...members.values()], problems };
}

/** Machines that carry one of the tags of any plan's selectors, or lie in one of their folders, and are in none of the plans. */
export function driftOf(
  plans: readonly { readonly plan: RecoveryPlan; readonly members: readonly PlannedMember[] }[],
  candidates: readonly Candidate[],
): Candidate[] {
  const planned = new Set(plans.flatMap(({ members }) => members.map(({ machineId }) => machineId)));
  const wide = plans
    .flatMap(({ plan }) => plan.groups)
    .flatMap(({ members }) => members)
    .filter(({ by }) => by !== 'machine');
  return candidates.filter(
    (candidate) => !planned.has(candidate.machineId) && wide.some((selector) => selects(selector, candidate)),
  );
}

function selects(selector: MemberSelector, { machineId, itemId, name, tags, folder }: Candidate): boolean {
  if (selector.by === 'machine') {
    return selector.machine === machineId || selector.machine === itemId || selector.machine === name;
  }
  if (selector.by === 'tag') return tags?.includes(selector.tag) ?? false;
  return folder !== undefined && `${folder}/`.startsWith(`${selector.folder}/`);
}

/** Whether the selector would find the machine, nobody can say. */
function isHidden({ by }: MemberSelector, { tags, folder }: Candidate): boolean {
  return (by === 'tag' && tags === undefined) || (by === 'folder' && folder === undefined);
}

function hiddenReason({ by }: MemberSelector, hidden: readonly Candidate[]): string {
  const of = by === 'tag' ? 'set of tags' : 'folder';
  const more = hidden.length === 1 ? '' : ` and ${hidden.length - 1} more`;
  return `the ${of} of protected machine "${hidden[0]?.name}"${more} is not known: read the machines again`;
}

/** As people read it in the plan: `db-01`, `tag tier/db`, `folder /dc/vm/shop`. */
export function selectorWords(selector: MemberSelector): string {
  if (selector.by === 'machine') return selector.machine;
  return selector.by === 'tag' ? `tag ${selector.tag}` : `folder ${selector.folder}`;
}
