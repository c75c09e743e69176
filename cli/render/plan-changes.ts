/** Changes of a plan, a line each: `+` added, `-` removed, `~` changed, with what it was and is. */
import type { FieldChange, PlanChange } from '../../domain/plan/diff.ts';

const signs = { added: '+', removed: '-', changed: '~' } as const;
/** Longer values are cut: scripts and texts of manual steps are read in the document. */
const VALUE_MAX = 80;

export function planChangeLines(changes: readonly PlanChange[]): string[] {
  return changes.flatMap(({ change, part, name, place, fields = [] }) => [
    `${signs[change]} ${part} ${name}${place === undefined ? '' : ` (${place})`}`,
    ...fields.map(fieldLine),
  ]);
}

function fieldLine({ field, from, to }: FieldChange): string {
  return `    ${field}: ${shown(from)} → ${shown(to)}`;
}

function shown(value: string | null): string {
  if (value === null) return '-';
  const line = value.replaceAll(/\s+/g, ' ');
  return line.length > VALUE_MAX ? `${line.slice(0, VALUE_MAX)}…` : line;
}
