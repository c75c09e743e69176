/** Tags: how a run finds again what it made, and how it knows what it must not touch. */
import { DrError } from '../../../domain/errors.ts';
import { ITEM_TAG, MODE_TAG, RUN_TAG } from '../../../domain/names.ts';
import type { RunScope } from '../../../domain/ports.ts';

export type Tags = Readonly<Record<string, string>>;

export function tagsOf(scope: RunScope): Record<string, string> {
  return { [RUN_TAG]: scope.runId, [ITEM_TAG]: scope.itemId, [MODE_TAG]: scope.mode };
}

/** @throws DR_AZURE_NAME_TAKEN for what another run, or nobody of ours, has made. */
export function refuseForeign(scope: RunScope, resourceId: string, tags: Tags | undefined): void {
  const isOurs = Object.entries(tagsOf(scope)).every(([name, value]) => tags?.[name] === value);
  if (!isOurs) throw new DrError('DR_AZURE_NAME_TAKEN', { resource: resourceId, run: scope.runId });
}
