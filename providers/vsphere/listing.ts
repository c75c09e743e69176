/** Every object of one type, page after page. */
import type { z } from 'zod';
import { isFault, SessionLost } from './faults.ts';
import {
  type objectContentSchema,
  type Properties,
  propertiesOf,
  retrieveResultSchema,
} from './properties.ts';
import { requests, type ServiceRefs } from './requests.ts';
import type { VimSession } from './session.ts';
import { type MoRef, moRefSchema } from './values.ts';

/** Answers are parsed on the event loop at about 6 MB/s; a page of machines is some 0.6 MB. */
const PAGE_OBJECTS_MAX = 100;

export type ObjectContent = z.output<typeof objectContentSchema>;

export interface Listed {
  readonly ref: MoRef;
  readonly properties: Properties;
}

/** All of a type at once, for types of which a vCenter has few. Starts over when the session is lost. */
export function listAll(session: VimSession, type: string, paths: readonly string[]): Promise<Listed[]> {
  return session.resume(async () => {
    const all: Listed[] = [];
    for await (const page of retrieveAll(session, { type, paths })) {
      all.push(...page.map((content) => ({ ref: content.obj, properties: propertiesOf(content) })));
    }
    return all;
  });
}

/**
 * Every object of a type below the root folder. Whoever stops early cancels: vCenter keeps the rest of an
 * abandoned listing in memory.
 * @throws SessionLost also when a token of this listing is not known any more
 */
export async function* retrieveAll(
  session: VimSession,
  query: { readonly type: string; readonly paths: readonly string[] },
  signal?: AbortSignal,
): AsyncGenerator<ObjectContent[]> {
  const view = moRefSchema.parse(
    await session.call((service) => requests.createView(service, [query.type]), signal),
  );
  let token: string | undefined;
  try {
    let isFirst = true;
    while (isFirst || token !== undefined) {
      const answer = await readPage(session, view, { ...query, token }, signal);
      isFirst = false;
      token = answer.token;
      yield answer.objects;
    }
  } finally {
    await abandon(session, view, token);
  }
}

async function readPage(
  session: VimSession,
  view: MoRef,
  query: {
    readonly type: string;
    readonly paths: readonly string[];
    readonly token: string | undefined;
  },
  signal?: AbortSignal,
): Promise<z.output<typeof retrieveResultSchema> & { readonly token?: string | undefined }> {
  const { token } = query;
  if (token === undefined) {
    const build = (service: ServiceRefs) =>
      requests.retrieveView(service, view, { ...query, maxObjects: PAGE_OBJECTS_MAX });
    return retrieveResultSchema.parse(await session.callBound(view, build, signal));
  }
  const next = (service: ServiceRefs) => requests.continueRetrieve(service, token);
  const value = await session.callBound(view, next, signal).catch((error: unknown) => {
    throw isFault(error, 'InvalidArgument') ? new SessionLost() : error;
  });
  return retrieveResultSchema.parse(value);
}

async function abandon(session: VimSession, view: MoRef, token: string | undefined): Promise<void> {
  const quietly = () => undefined;
  if (token !== undefined) {
    await session.call((service) => requests.cancelRetrieve(service, token)).catch(quietly);
  }
  await session.call(requests.destroyView(view)).catch(quietly);
}
