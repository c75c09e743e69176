/**
 * Tags of machines, from vCenter's REST API. It is asked at `/rest`, which vCenter serves from 6.5 on; its sessions are
 * its own, with the same account. An account sees only the tags it may read (docs/vcenter-role.md).
 */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { JsonRequest } from './client.ts';
import type { VimSession } from './session.ts';

const SESSION = '/rest/com/vmware/cis/session';
const TAGGING = '/rest/com/vmware/cis/tagging';
const REQUESTS_AT_ONCE = 8;
/** Of which the machines are asked for in one request. */
const TAGS_PER_REQUEST = 100;

const answerSchema = z.object({ value: z.unknown() });
/** An empty list may be null. */
const idsSchema = z
  .array(z.string())
  .nullish()
  .transform((ids) => ids ?? []);
const attachedSchema = z
  .array(
    z.object({
      tag_id: z.string(),
      object_ids: z
        .array(z.object({ type: z.string(), id: z.string() }))
        .nullish()
        .transform((objects) => objects ?? []),
    }),
  )
  .nullish()
  .transform((tags) => tags ?? []);

type Ask = <T extends z.ZodType>(
  request: Pick<JsonRequest, 'method' | 'path' | 'body'>,
  schema: T,
) => Promise<z.output<T>>;

/**
 * By managed object id, `category/tag`, sorted; a machine without any is absent. Whatever goes wrong is one error.
 * @throws DR_VCENTER_TAGS_UNREADABLE, or the signal's reason
 */
export async function readTags(
  session: VimSession,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  try {
    return await withSession(session, signal, async (ask) => {
      const names = await tagNames(ask);
      return byMachine(names, await attachedTo(ask, [...names.keys()]));
    });
  } catch (error) {
    signal?.throwIfAborted();
    const context = { vcenter: session.connection.id, reason: reasonOf(error) };
    throw new DrError('DR_VCENTER_TAGS_UNREADABLE', context, { cause: error });
  }
}

async function withSession<T>(
  session: VimSession,
  signal: AbortSignal | undefined,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  const { username, password } = session.connection;
  const basic = Buffer.from(`${username}:${password.reveal()}`).toString('base64');
  const login = { method: 'POST', path: SESSION } as const;
  const id = await ask(
    session,
    { ...login, headers: { Authorization: `Basic ${basic}` }, signal },
    z.string(),
  );
  const headers = { 'vmware-api-session-id': id };
  try {
    return await work((request, schema) => ask(session, { ...request, headers, signal }, schema));
  } finally {
    await session.requestForeign({ method: 'DELETE', path: SESSION, headers }).catch(() => undefined);
  }
}

async function ask<T extends z.ZodType>(
  session: VimSession,
  request: JsonRequest,
  schema: T,
): Promise<z.output<T>> {
  const { status, body } = await session.requestForeign(request);
  if (status === 200) return schema.parse(answerSchema.parse(body).value);
  throw new Refused(request, status);
}

class Refused extends Error {
  readonly status: number;

  constructor({ method, path }: JsonRequest, status: number) {
    super(`${method} ${path.split('?')[0]} was answered with HTTP ${status}`);
    this.name = 'Refused';
    this.status = status;
  }
}

/** `category/tag` by the tag's id. What is deleted meanwhile is left out. */
async function tagNames(ask: Ask): Promise<ReadonlyMap<string, string>> {
  const categories = await details(ask, 'category', z.object({ name: z.string() }));
  const tags = await details(ask, 'tag', z.object({ name: z.string(), category_id: z.string() }));
  return new Map(
    [...tags].flatMap(([id, { name, category_id: category }]): [string, string][] => {
      const of = categories.get(category);
      return of === undefined ? [] : [[id, `${of.name}/${name}`]];
    }),
  );
}

async function details<T>(
  ask: Ask,
  kind: 'category' | 'tag',
  schema: z.ZodType<T>,
): Promise<ReadonlyMap<string, T>> {
  const ids = await ask({ method: 'GET', path: `${TAGGING}/${kind}` }, idsSchema);
  const found = new Map<string, T>();
  for (const some of chunks(ids, REQUESTS_AT_ONCE)) {
    const answers = await Promise.all(
      some.map((id) =>
        ask({ method: 'GET', path: `${TAGGING}/${kind}/id:${inPath(id)}` }, schema).catch(absent),
      ),
    );
    some.forEach((id, index) => {
      const answer = answers[index];
      if (answer !== undefined) found.set(id, answer);
    });
  }
  return found;
}

function absent(error: unknown): undefined {
  if (error instanceof Refused && error.status === 404) return undefined;
  throw error;
}

async function attachedTo(ask: Ask, ids: readonly string[]): Promise<z.output<typeof attachedSchema>> {
  const path = `${TAGGING}/tag-association?~action=list-attached-objects-on-tags`;
  const all: z.output<typeof attachedSchema> = [];
  for (const some of chunks(ids, TAGS_PER_REQUEST)) {
    all.push(...(await ask({ method: 'POST', path, body: { tag_ids: some } }, attachedSchema)));
  }
  return all;
}

function byMachine(
  names: ReadonlyMap<string, string>,
  attached: z.output<typeof attachedSchema>,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { tag_id: tag, object_ids: objects } of attached) {
    const name = names.get(tag);
    if (name === undefined) continue;
    for (const { id } of objects.filter(({ type }) => type === 'VirtualMachine')) {
      found.set(id, [...(found.get(id) ?? []), name].sort());
    }
  }
  return found;
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** `urn:vmomi:InventoryServiceTag:…:GLOBAL` stays as it is. */
function inPath(id: string): string {
  return id.replaceAll(/[^\w:.-]/g, encodeURIComponent);
}

function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    return `its answer was not understood at ${error.issues[0]?.path.join('.') ?? 'its root'}`;
  }
  return error instanceof Error ? error.message : String(error);
}
