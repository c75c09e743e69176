/** Where machines can be made: datastores, and the host, pool and folder that go with one. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { DatastoreFacts } from '../../domain/ports.ts';
import { listAll } from './listing.ts';
import { listNetworks, type Network, networksOfHost } from './networks.ts';
import { retrieve } from './properties.ts';
import type { VimSession } from './session.ts';
import { type MoRef, moRefSchema } from './values.ts';

const datastoreSchema = z.object({
  name: z.string(),
  'summary.capacity': z.coerce.number(),
  'summary.freeSpace': z.coerce.number(),
  'summary.accessible': z.boolean(),
});

export interface Datastore {
  readonly ref: MoRef;
  readonly facts: DatastoreFacts;
}

export async function listDatastores(session: VimSession): Promise<Datastore[]> {
  const listed = await listAll(session, 'Datastore', Object.keys(datastoreSchema.shape));
  return listed.map(({ ref, properties }) => {
    const datastore = datastoreSchema.parse(properties);
    const facts = {
      name: datastore.name,
      capacityBytes: datastore['summary.capacity'],
      freeBytes: datastore['summary.freeSpace'],
      accessible: datastore['summary.accessible'],
    };
    return { ref, facts };
  });
}

export interface Place {
  readonly datastore: string;
  readonly host: MoRef;
  readonly pool: MoRef;
  readonly folder: MoRef;
  readonly networks: ReadonlyMap<string, Network>;
}

const refs = z.array(moRefSchema).default([]);

const hostSchema = z.object({
  parent: moRefSchema,
  datastore: refs,
  network: refs,
  'runtime.connectionState': z.string(),
  'runtime.inMaintenanceMode': z.boolean(),
});

type Host = z.output<typeof hostSchema> & { readonly ref: MoRef };

/**
 * A connected host that mounts the datastore and has all the networks; the root pool of its cluster and the machine
 * folder of its datacenter. The same answer for the same question while hosts come and go as little as they do.
 * @throws DR_VCENTER_PLACE_UNKNOWN
 */
export async function findPlace(
  session: VimSession,
  wanted: { readonly datastore: string; readonly networkNames: readonly string[] },
): Promise<Place> {
  const stores = (await listDatastores(session)).filter(({ facts }) => facts.name === wanted.datastore);
  if (stores.length === 0) throw unknown('datastore', wanted.datastore);
  const hosts = (await listHosts(session)).filter((host) => isMounted(host, stores));
  const networks = hosts.length === 0 ? [] : await listNetworks(session);
  let missing: string | undefined;
  for (const host of hosts) {
    const present = networksOfHost(networks, host.network);
    missing = wanted.networkNames.find((name) => !present.has(name));
    if (missing !== undefined) continue;
    const [pool, folder] = [await poolOf(session, host), await folderOf(session, host)];
    return { datastore: wanted.datastore, host: host.ref, pool, folder, networks: present };
  }
  if (missing === undefined) throw unknown('connected host with datastore', wanted.datastore);
  throw unknown(`network on the hosts of datastore "${wanted.datastore}" named`, missing);
}

async function listHosts(session: VimSession): Promise<Host[]> {
  const listed = await listAll(session, 'HostSystem', Object.keys(hostSchema.shape));
  return listed
    .map(({ ref, properties }) => ({ ref, ...hostSchema.parse(properties) }))
    .filter((host) => host['runtime.connectionState'] === 'connected' && !host['runtime.inMaintenanceMode'])
    .sort((a, b) => (a.ref.$value < b.ref.$value ? -1 : 1));
}

function isMounted(host: Host, stores: readonly { readonly ref: MoRef }[]): boolean {
  return host.datastore.some(({ $value }) => stores.some(({ ref }) => ref.$value === $value));
}

async function poolOf(session: VimSession, host: Host): Promise<MoRef> {
  return moRefSchema.parse((await retrieve(session, host.parent, ['resourcePool']))['resourcePool']);
}

/** vSphere nests folders at most this deep below a datacenter. */
const DEPTH_MAX = 32;

async function folderOf(session: VimSession, host: Host): Promise<MoRef> {
  let at = host.parent;
  for (let depth = 0; depth < DEPTH_MAX && at.attributes.type !== 'Datacenter'; depth += 1) {
    at = moRefSchema.parse((await retrieve(session, at, ['parent']))['parent']);
  }
  return moRefSchema.parse((await retrieve(session, at, ['vmFolder']))['vmFolder']);
}

export function unknown(kind: string, name: string): DrError {
  return new DrError('DR_VCENTER_PLACE_UNKNOWN', { kind, name });
}
