/** Tags beside the machines of a discovery. Without them machines are found all the same. */
import { Context } from '@temporalio/activity';
import { DrError } from '../../domain/errors.ts';
import type { JobError } from '../../domain/job.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import type { VCenterSession } from '../../domain/ports.ts';

type Tags = ReadonlyMap<string, readonly string[]>;

/** `tags` is absent when vCenter did not tell them; the problem is logged. */
export async function tagsOf(
  session: Pick<VCenterSession, 'machineTags'>,
  signal: AbortSignal,
): Promise<{ readonly tags?: Tags; readonly tagsProblem?: JobError }> {
  try {
    return { tags: await session.machineTags(signal) };
  } catch (error) {
    if (!(error instanceof DrError) || error.code !== 'DR_VCENTER_TAGS_UNREADABLE') throw error;
    const { code, message, remedy } = error;
    Context.current().log.warn(message, { code });
    return { tagsProblem: { code, message, remedy } };
  }
}

export function withTags(machine: DiscoveredMachine, tags: Tags | undefined): DiscoveredMachine {
  return tags === undefined ? machine : { ...machine, tags: tags.get(machine.moRef) ?? [] };
}
