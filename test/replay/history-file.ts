/** Recorded histories: the server's own events as JSON, bytes in base64, compressed. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Worker } from '@temporalio/worker';
import { repositoryRoot } from '../../lab/tools/cache.ts';

export type History = Exclude<Parameters<typeof Worker.runReplayHistory>[1], string>;

export const HISTORIES = join(repositoryRoot, 'test', 'replay', 'histories');
const ENDING = '.json.gz';

export async function historyNames(): Promise<string[]> {
  const files = await readdir(HISTORIES);
  return files.filter((file) => file.endsWith(ENDING)).map((file) => file.slice(0, -ENDING.length));
}

export async function saveHistory(name: string, history: object): Promise<void> {
  const json = JSON.stringify(plain(history));
  await writeFile(join(HISTORIES, `${name}${ENDING}`), gzipSync(json, { level: 9 }));
}

/** Field by field, because a message's own JSON is another form, which the SDK cannot read again everywhere. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(fields.map(([key, field]) => [key, plain(field)]));
}

export async function loadHistory(name: string): Promise<History> {
  const json = gunzipSync(await readFile(join(HISTORIES, `${name}${ENDING}`))).toString('utf8');
  return JSON.parse(json, (_, value: unknown) =>
    isBytes(value) ? Buffer.from(value.$bytes, 'base64') : value,
  ) as History;
}

function isBytes(value: unknown): value is { readonly $bytes: string } {
  return typeof value === 'object' && value !== null && '$bytes' in value;
}
