/** What VMware Tools report of a guest's network. */
import { z } from 'zod';
import { retrieve } from './properties.ts';
import type { VimSession } from './session.ts';
import type { MoRef } from './values.ts';

const ADDRESS_PATH = 'guest.ipAddress';
const addressSchema = z.ipv4().or(z.ipv6()).optional();

/** The primary address; null: the tools report none. */
export async function guestAddress(session: VimSession, machine: MoRef): Promise<string | null> {
  const found = addressSchema.safeParse((await retrieve(session, machine, [ADDRESS_PATH]))[ADDRESS_PATH]);
  return found.data ?? null;
}
