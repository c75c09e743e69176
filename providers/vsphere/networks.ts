/** Networks by name: standard port groups and distributed ones, and what connects an adapter to each. */
import { z } from 'zod';
import { listAll, type Listed } from './listing.ts';
import { retrieve } from './properties.ts';
import type { VimSession } from './session.ts';
import { type MoRef, moRefSchema, typed } from './values.ts';

export interface Network {
  readonly ref: MoRef;
  readonly name: string;
  /** Backing of a network adapter connected to it. */
  readonly backing: Readonly<Record<string, unknown>>;
}

/** Port groups of uplinks carry this tag; no machine is connected to them. */
const UPLINK_TAG = 'SYSTEM/DVS.UPLINKPG';

const groupSchema = z.object({
  name: z.string(),
  key: z.string(),
  'config.distributedVirtualSwitch': moRefSchema,
  tag: z.array(z.object({ key: z.string() })).default([]),
});

export async function listNetworks(session: VimSession): Promise<Network[]> {
  const plain = await listAll(session, 'Network', ['name']);
  const standard = plain.filter(({ ref }) => ref.attributes.type === 'Network').map(standardNetwork);
  const groups = await listAll(session, 'DistributedVirtualPortgroup', Object.keys(groupSchema.shape));
  return [...standard, ...(await distributedNetworks(session, groups))];
}

function standardNetwork({ ref, properties }: Listed): Network {
  const name = String(properties['name']);
  return { ref, name, backing: typed('VirtualEthernetCardNetworkBackingInfo', { deviceName: name }) };
}

async function distributedNetworks(session: VimSession, listed: readonly Listed[]): Promise<Network[]> {
  const uuids = new Map<string, string>();
  const networks: Network[] = [];
  for (const { ref, properties } of listed) {
    const group = groupSchema.safeParse(properties).data;
    if (group === undefined || group.tag.some(({ key }) => key === UPLINK_TAG)) continue;
    const parent = group['config.distributedVirtualSwitch'];
    const known = uuids.get(parent.$value);
    const switchUuid = known ?? z.string().parse((await retrieve(session, parent, ['uuid']))['uuid']);
    uuids.set(parent.$value, switchUuid);
    const backing = typed('VirtualEthernetCardDistributedVirtualPortBackingInfo', {
      port: { switchUuid, portgroupKey: group.key },
    });
    networks.push({ ref, name: group.name, backing });
  }
  return networks;
}

/** Those of `networks` that a host has, by name. */
export function networksOfHost(
  networks: readonly Network[],
  hostNetworks: readonly MoRef[],
): ReadonlyMap<string, Network> {
  const refs = new Set(hostNetworks.map(({ $value }) => $value));
  return new Map(
    networks.filter(({ ref }) => refs.has(ref.$value)).map((network) => [network.name, network]),
  );
}
