/** What the parts of a record are called when one of them was altered. */
import type { EntryBodies, EntryKind } from './chain.ts';
import { plain } from './markup.ts';

const NAME_CHARACTERS_MAX = 60;

type Labels = { readonly [K in EntryKind]: (number: number, body: Partial<EntryBodies[K]>) => string };

const labels: Labels = {
  run: () => 'run',
  plan: () => 'plan',
  member: (number, { machineName }) => `machine ${number}${named(machineName)}`,
  step: (number, { name }) => `step ${number}${named(name)}`,
  decision: (number) => `decision ${number}`,
  cleanup: () => 'cleanup proof',
  prediction: () => 'prediction',
};

/** `step 4 \`database-answers\``; `number` counts entries of the same kind from 1. */
export function labelOf<K extends EntryKind>(kind: K, number: number, body: Partial<EntryBodies[K]>): string {
  return labels[kind](number, body);
}

function named(name: unknown): string {
  return typeof name === 'string' ? ` \`${plain(name, NAME_CHARACTERS_MAX)}\`` : '';
}
