/** Tags: how a run finds again what it made, and how it knows what it must not touch. */
import { DrError } from '../../../domain/errors.ts';
import type { RunId } from '../../../domain/ids.ts';
import { ITEM_TAG, MODE_TAG, RUN_TAG } from '../../../domain/names.ts';
import type { RunScope } from '../../../domain/ports.ts';

export type Tags = Readonly<Record<string, string>>;

const RUN_TAGS: readonly string[] = [RUN_TAG, ITEM_TAG, MODE_TAG];

/** Whose a resource is. */
export type Owner = Pick<RunScope, 'runId' | 'itemId' | 'mode'>;

/** The run's tags beside the operator's own, of which none can pass for the run's: Azure compares names without case. */
export function tagsOf(scope: Owner, own: Tags = {}): Record<string, string> {
  const kept = Object.entries(own).filter(([name]) => !RUN_TAGS.includes(name.toLowerCase()));
  return {
    ...Object.fromEntries(kept),
    [RUN_TAG]: scope.runId,
    [ITEM_TAG]: scope.itemId,
    [MODE_TAG]: scope.mode,
  };
}

export function isOfRun(runId: RunId, tags: Tags | undefined): boolean {
  return tags?.[RUN_TAG] === runId;
}

/** @throws DR_AZURE_NAME_TAKEN for what another run, or nobody of ours, has made. */
export function refuseForeign(scope: Owner, resourceId: string, tags: Tags | undefined): void {
  const isOurs = Object.entries(tagsOf(scope)).every(([name, value]) => tags?.[name] === value);
  if (!isOurs) throw new DrError('DR_AZURE_NAME_TAKEN', { resource: resourceId, run: scope.runId });
}
