/** Which privileges this session's account lacks. */
import { z } from 'zod';
import { retrieve } from './properties.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import type { MoRef } from './values.ts';

const sessionSchema = z.object({ userName: z.string() });

const grantedSchema = z.array(z.object({ privileges: z.array(z.string()).default([]) }));

/** In the order asked for. */
export async function missingPrivileges(
  session: VimSession,
  entity: MoRef,
  privileges: readonly string[],
): Promise<string[]> {
  const { sessionManager } = await session.service();
  const { currentSession } = await retrieve(session, sessionManager, ['currentSession']);
  const { userName } = sessionSchema.parse(currentSession);
  const answer = await session.call((service) => requests.fetchPrivileges(service, entity, userName));
  const granted = new Set(grantedSchema.parse(answer).flatMap((result) => result.privileges));
  return privileges.filter((id) => !granted.has(id));
}
