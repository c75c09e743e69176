/** Readiness in the text format of Prometheus 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). */
interface Estimated {
  readonly ready: boolean;
  readonly expectedRtoSeconds?: number;
  readonly expectedRpoSeconds?: number;
}

export interface Measured {
  readonly items: readonly (Estimated & { readonly itemId: string; readonly machineName: string })[];
  readonly plans: readonly (Estimated & { readonly name: string; readonly verified: boolean })[];
}

type Sample = readonly [labels: string, value: number | boolean | undefined];

/** What is not known has no sample. */
export function readinessMetrics({ items, plans }: Measured): string {
  const all = [
    ...items.map((item) => ({
      ...item,
      labels: `item="${escaped(item.itemId)}",machine="${escaped(item.machineName)}"`,
    })),
    ...plans.map((plan) => ({ ...plan, labels: planLabel(plan.name) })),
  ];
  return [
    gauge(
      'switchback_ready',
      'Whether the next move could begin now.',
      all.map(({ labels, ready }) => [labels, ready]),
    ),
    gauge(
      'switchback_expected_rto_seconds',
      'How long the next move takes by earlier runs.',
      all.map(({ labels, expectedRtoSeconds }) => [labels, expectedRtoSeconds]),
    ),
    gauge(
      'switchback_expected_rpo_seconds',
      'Age of the newest recovery point; of a plan, the worst.',
      all.map(({ labels, expectedRpoSeconds }) => [labels, expectedRpoSeconds]),
    ),
    gauge(
      'switchback_verified',
      'Whether the plan was drilled as it is now, and cleaned up.',
      plans.map(({ name, verified }) => [planLabel(name), verified]),
    ),
  ].join('');
}

export function gauge(name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.flatMap(([labels, value]) =>
    value === undefined ? [] : [`${name}{${labels}} ${Number(value)}`],
  );
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines, ''].join('\n');
}

function planLabel(name: string): string {
  return `plan="${escaped(name)}"`;
}

export function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
