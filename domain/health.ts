/** Health of a protected item: conditions with category, reason and suggestion. State says what it is, health says how it fares. */
export type HealthCategory = 'critical' | 'warning';
export type Health = 'normal' | 'warning' | 'critical';

export interface Condition {
  /** Stable code, one of the error catalogue or `DR_HEALTH_…`; at most one condition per type. */
  readonly type: string;
  readonly category: HealthCategory;
  readonly reason: string;
  readonly suggestion: string;
  readonly since: string;
}

export function overallHealth(conditions: readonly Condition[]): Health {
  if (conditions.some((c) => c.category === 'critical')) return 'critical';
  return conditions.length > 0 ? 'warning' : 'normal';
}

/** Adds or replaces the condition of that type; keeps `since` of an existing one. */
export function raise(conditions: readonly Condition[], condition: Condition): Condition[] {
  const earlier = conditions.find((c) => c.type === condition.type);
  const kept = earlier === undefined ? condition : { ...condition, since: earlier.since };
  return [...conditions.filter((c) => c.type !== condition.type), kept];
}
