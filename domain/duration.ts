const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `250ms`, `90s`, `1.5h` or `2d` in milliseconds; undefined: not written like that. */
export function parseDurationMs(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,12}(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * unitMs[unit as keyof typeof unitMs];
}

/** Whole seconds in the largest unit that needs no fraction: `90s`, `5m`, `4h`. */
export function writtenDuration(seconds: number): string {
  const ms = seconds * 1000;
  const unit = (['d', 'h', 'm'] as const).find((unit) => ms > 0 && ms % unitMs[unit] === 0) ?? 's';
  return `${ms / unitMs[unit]}${unit}`;
}
