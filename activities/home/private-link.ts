/** Whether the site reaches the storage account from the private side: over ExpressRoute, VPN or a private endpoint. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { DrError } from '../../domain/errors.ts';
import type { ItemSpec } from '../../domain/machine.ts';

/** How the site must reach the storage account. */
export interface PrivateLink {
  /** `any`: over the internet is good enough. */
  readonly wanted: 'required' | 'any';
  /** Host of the storage account's blob endpoint. */
  readonly host: string;
}

/** Told by the addresses that the name of the account has on this site; routes behind them are not tried. */
export async function linkProblems(item: ItemSpec, { wanted, host }: PrivateLink): Promise<DrError[]> {
  if (wanted === 'any') return [];
  const missing = (reason: string) => new DrError('DR_FAILBACK_LINK_MISSING', { site: item.site, reason });
  let addresses: readonly string[];
  try {
    addresses = isIP(host) === 0 ? (await lookup(host, { all: true })).map(({ address }) => address) : [host];
  } catch (error) {
    return [missing(`${host} has no address here (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)];
  }
  const open = addresses.filter((address) => !isPrivate(address));
  if (open.length === 0) return [];
  const setting = 'a setting of the process server, failback.privateLink, may allow it';
  return [missing(`${host} is ${open.join(', ')} here, an address of the internet; ${setting}`)];
}

/** Loopback, RFC 1918 and RFC 6598, link-local; unique local and link-local in IPv6. */
const privateAddresses = new BlockList();
for (const [network, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
] as const) {
  privateAddresses.addSubnet(network, prefix, 'ipv4');
}
privateAddresses.addAddress('::1', 'ipv6');
privateAddresses.addSubnet('fc00::', 7, 'ipv6');
privateAddresses.addSubnet('fe80::', 10, 'ipv6');

function isPrivate(address: string): boolean {
  return privateAddresses.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
