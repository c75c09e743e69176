/** Reads named properties of one object, and waits for them to change. */
import { z } from 'zod';
import type { OnProgress } from '../../domain/ports.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { type MoRef, moRefSchema, unwrap } from './values.ts';

/** Shorter than any heartbeat timeout of an activity, so that a waiter shows life in time. */
const LONG_POLL_SECONDS_MAX = 10;

export type Properties = Readonly<Record<string, unknown>>;

export const objectContentSchema = z.object({
  obj: moRefSchema,
  propSet: z.array(z.object({ name: z.string(), val: z.unknown().optional() })).default([]),
});

export const retrieveResultSchema = z
  .object({ token: z.string().optional(), objects: z.array(objectContentSchema).default([]) })
  .nullish()
  .transform((result) => result ?? { objects: [] });

export function propertiesOf(content: z.output<typeof objectContentSchema>): Properties {
  return Object.fromEntries(content.propSet.map(({ name, val }) => [name, unwrap(val)]));
}

/** Properties that are not set are absent. */
export async function retrieve(
  session: VimSession,
  object: MoRef,
  paths: readonly string[],
): Promise<Properties> {
  const value = await session.call((service) => requests.retrieveObject(service, object, paths));
  const [content] = retrieveResultSchema.parse(value).objects;
  return content === undefined ? {} : propertiesOf(content);
}

const updateSchema = z
  .object({ version: z.string() })
  .nullish()
  .transform((update) => update?.version);

/** Properties of one object that a waiter wants to hear of. */
export interface Watched {
  readonly object: MoRef;
  readonly paths: readonly string[];
}

/**
 * Calls `read` now and after every change of what is watched, until it returns something or `deadline` (ms since
 * 1970) passes; then undefined. Each waiter has a property collector of its own; `onProgress` is called at least every 10 s.
 * @throws SessionLost; run it inside `session.resume`
 */
export async function waitForChange<T>(
  session: VimSession,
  { watched, deadline = Infinity }: { watched: readonly Watched[]; deadline?: number },
  read: () => Promise<T | undefined>,
  onProgress: OnProgress,
): Promise<T | undefined> {
  const collector = moRefSchema.parse(await session.call(requests.createCollector));
  try {
    await session.callBound(collector, requests.createFilter(collector, watched));
    let version = '';
    for (;;) {
      onProgress();
      const leftSeconds = Math.max(0, (deadline - Date.now()) / 1000);
      const seconds = Math.ceil(Math.min(LONG_POLL_SECONDS_MAX, leftSeconds));
      const wait = requests.waitForUpdates(collector, version, seconds);
      const update = await session.callBound(collector, wait);
      version = updateSchema.parse(update) ?? version;
      const result = await read();
      if (result !== undefined) return result;
      if (leftSeconds === 0) return undefined;
    }
  } finally {
    await session.call(requests.destroyCollector(collector)).catch(() => undefined);
  }
}
