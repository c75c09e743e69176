/** Results as JSON lines: one for each row of each run, complete in itself. */
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Verdict } from './goals.ts';
import type { Row } from './rows.ts';

const metrics = z.record(z.string(), z.number());
const contender = z.union([
  z.strictObject({ runs: z.array(metrics) }),
  z.strictObject({ absent: z.string() }),
]);
const verdict = z.strictObject({
  row: z.string(),
  what: z.string(),
  value: z.number().nullable(),
  bound: z.strictObject({
    relation: z.enum(['≤', '≥']),
    value: z.number(),
    unit: z.enum(['ratio', 'seconds', 'MiB']),
  }),
  met: z.boolean().nullable(),
});

/** Where, when and with what a run was made. */
const circumstancesSchema = z.strictObject({
  /** ISO 8601: when the run began; the same in all its lines. */
  run: z.iso.datetime(),
  commit: z.string(),
  /** Files differed from the commit. */
  dirty: z.boolean(),
  machine: z.strictObject({
    cpu: z.string(),
    cores: z.number().int(),
    memoryMiB: z.number(),
    kernel: z.string(),
  }),
  /** Load averages of 1, 5 and 15 minutes when the run began. */
  load: z.array(z.number()).length(3),
  versions: z.record(z.string(), z.string()),
  seed: z.number().int(),
  quick: z.boolean(),
  disk: z.strictObject({ bytes: z.number(), nonZeroBytes: z.number(), sha256: z.string() }),
});

const lineSchema = z.strictObject({
  version: z.literal(1),
  ...circumstancesSchema.shape,
  row: z.string(),
  title: z.string(),
  contenders: z.record(z.string(), contender),
  verdicts: z.array(verdict),
  notes: z.array(z.string()).optional(),
  file: z.string().optional(),
});

export type Circumstances = z.infer<typeof circumstancesSchema>;
export type ResultLine = z.infer<typeof lineSchema>;

export async function appendResults(
  file: string,
  circumstances: Circumstances,
  rows: readonly Row[],
  verdicts: readonly Verdict[],
): Promise<void> {
  const lines = rows.map((row) => ({
    version: 1,
    ...circumstances,
    ...row,
    verdicts: verdicts.filter((each) => each.row === row.row),
  }));
  await mkdir(dirname(file), { recursive: true });
  await appendFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** @throws Error that names the line */
export function parseResults(text: string): ResultLine[] {
  return text
    .split('\n')
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, number }) => {
      try {
        return lineSchema.parse(JSON.parse(line));
      } catch (cause) {
        throw new Error(`line ${number} is no result: ${(cause as Error).message}`, { cause });
      }
    });
}

/** Of each row the newest line; none: the file is not there. */
export async function newestResults(file: string): Promise<ResultLine[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return newestOf(parseResults(text));
}

export function newestOf(lines: readonly ResultLine[]): ResultLine[] {
  const newest = new Map<string, ResultLine>();
  for (const line of lines) newest.set(line.row, line);
  return [...newest.values()];
}
