/** Where machines lie, as plans name it: from the datacenter down, `/dc/vm/shop`. Names are escaped as vCenter escapes them. */
import { z } from 'zod';
import { retrieveAll } from './listing.ts';
import { propertiesOf } from './properties.ts';
import type { VimSession } from './session.ts';
import { moRefSchema } from './values.ts';

/** vSphere nests folders at most this deep below a datacenter. */
const DEPTH_MAX = 32;

/** What a machine may lie in, and the properties that lead upwards from it. */
const holders: readonly { readonly type: string; readonly upwards: readonly string[] }[] = [
  { type: 'Datacenter', upwards: [] },
  { type: 'Folder', upwards: ['parent'] },
  { type: 'VirtualApp', upwards: ['parentFolder', 'parentVApp'] },
];

interface Holder {
  readonly name: string;
  /** Absent: a datacenter, where paths begin. */
  readonly above?: string | undefined;
}

const holderSchema = z.object({ name: z.string() }).catchall(z.unknown());

/** By reference of the folder or vApp; what lies in something the account does not see is left out. */
export async function readFolderPaths(
  session: VimSession,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, Holder>();
  for (const { type, upwards } of holders) {
    for await (const page of retrieveAll(session, { type, paths: ['name', ...upwards] }, signal)) {
      for (const content of page) {
        const holder = holderSchema.safeParse(propertiesOf(content));
        if (!holder.success) continue;
        const [above] = upwards.flatMap((property) => refOf(holder.data[property]));
        if (type === 'Datacenter' || above !== undefined) {
          found.set(content.obj.$value, { name: holder.data.name, above });
        }
      }
    }
  }
  return new Map([...found.keys()].flatMap((ref) => pathOf(found, ref)));
}

function refOf(value: unknown): string[] {
  const ref = moRefSchema.safeParse(value);
  return ref.success ? [ref.data.$value] : [];
}

function pathOf(found: ReadonlyMap<string, Holder>, ref: string): [string, string][] {
  const names: string[] = [];
  for (let at = found.get(ref); at !== undefined && names.length < DEPTH_MAX;) {
    names.unshift(at.name);
    if (at.above === undefined) return [[ref, `/${names.join('/')}`]];
    at = found.get(at.above);
  }
  return [];
}
