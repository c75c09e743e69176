const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `250ms`, `90s`, `5m`, `4h` or `2d` in milliseconds; undefined: not written like that. */
export function parseDurationMs(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text) ?? [];
  const perUnit = unitMs[unit];
  return digits === undefined || perUnit === undefined ? undefined : Number(digits) * perUnit;
}
