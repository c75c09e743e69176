/** Many small machines, and the plan over them. */
export const PLAN = 'estate';
/** Of `Standard_D2s_v5`. */
const CORES_EACH = 2;

export function siteMachines(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `m-${String(index).padStart(4, '0')}`);
}

/** Each group waits for the one before; machines are dealt out evenly. */
export function planText(machines: readonly string[], groups: number): string {
  const written = Array.from({ length: groups }, (_, group) => {
    const members = machines
      .filter((_name, index) => index % groups === group)
      .map((machine) => `      - machine: ${machine}`);
    const after = group === 0 ? [] : [`    after: g${group - 1}`];
    return [`  - name: g${group}`, ...after, '    members:', ...members].join('\n');
  });
  return `apiVersion: switchback/v1\nkind: RecoveryPlan\nname: ${PLAN}\ngroups:\n${written.join('\n')}\n`;
}

/** A subscription that has room for all of them. */
export function quotas(machines: number): Readonly<Record<string, number>> {
  return { cores: machines * CORES_EACH, standardDSv5Family: machines * CORES_EACH };
}
