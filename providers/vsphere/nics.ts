/** Connects the network adapters of a machine to networks by name. */
import { z } from 'zod';
import type { OnProgress } from '../../domain/ports.ts';
import { listNetworks, type Network, networksOfHost } from './networks.ts';
import { unknown } from './places.ts';
import { retrieve } from './properties.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { runTask, settleTasks } from './task.ts';
import { type MoRef, moRefSchema, typed, typeOf } from './values.ts';

const RECONFIGURE_TASK = /reconfig/i;

export interface NicChange {
  readonly deviceKey: number;
  readonly networkName: string;
  readonly connected: boolean;
}

const backingSchema = z.object({
  deviceName: z.string().nullish(),
  port: z.object({ portgroupKey: z.string().nullish() }).nullish(),
});

const adapterSchema = z.object({
  attributes: z.record(z.string(), z.string()),
  key: z.coerce.number(),
  controllerKey: z.coerce.number().optional(),
  unitNumber: z.coerce.number().optional(),
  macAddress: z.string(),
  addressType: z.string().optional(),
  connectable: z
    .object({ startConnected: z.boolean(), allowGuestControl: z.boolean(), connected: z.boolean() })
    .optional(),
  backing: backingSchema.nullish(),
});

type Adapter = z.output<typeof adapterSchema>;

/**
 * Addresses stay. Adapters that are as wanted already are left alone.
 * @throws DR_VCENTER_PLACE_UNKNOWN when the machine's host has no such network or the machine no such adapter
 */
export async function connectNics(
  session: VimSession,
  machine: MoRef,
  wanted: readonly NicChange[],
  onProgress: OnProgress,
): Promise<void> {
  await settleTasks(session, machine, RECONFIGURE_TASK, onProgress);
  const properties = await retrieve(session, machine, ['config.hardware.device', 'runtime.host']);
  const adapters = readAdapters(properties['config.hardware.device']);
  const networks = await hostNetworks(session, moRefSchema.parse(properties['runtime.host']));
  const deviceChange = wanted.flatMap((nic) => {
    const adapter = adapters.find(({ key }) => key === nic.deviceKey);
    if (adapter === undefined) throw unknown('network adapter with device key', String(nic.deviceKey));
    const network = networks.get(nic.networkName);
    if (network === undefined) throw unknown('network on the host of the machine named', nic.networkName);
    return isAsWanted(adapter, network, nic.connected) ? [] : [edit(adapter, network, nic.connected)];
  });
  if (deviceChange.length === 0) return;
  await runTask(session, requests.reconfigure(machine, { deviceChange }), onProgress);
}

async function hostNetworks(session: VimSession, host: MoRef): Promise<ReadonlyMap<string, Network>> {
  const { network } = await retrieve(session, host, ['network']);
  return networksOfHost(await listNetworks(session), z.array(moRefSchema).parse(network ?? []));
}

function readAdapters(devices: unknown): Adapter[] {
  return z
    .array(z.unknown())
    .parse(devices ?? [])
    .flatMap((device) => adapterSchema.safeParse(device).data ?? []);
}

function isAsWanted(adapter: Adapter, { backing }: Network, connected: boolean): boolean {
  const target = backingSchema.parse(backing);
  return (
    adapter.connectable?.startConnected === connected &&
    (adapter.backing?.deviceName ?? undefined) === (target.deviceName ?? undefined) &&
    (adapter.backing?.port?.portgroupKey ?? undefined) === (target.port?.portgroupKey ?? undefined)
  );
}

/** An edited device is sent whole: vCenter takes what is left out for a wish to have it chosen anew. */
function edit(adapter: Adapter, { backing }: Network, connected: boolean): object {
  const { key, controllerKey, unitNumber, macAddress, addressType, connectable } = adapter;
  const device = {
    key,
    backing,
    connectable: {
      startConnected: connected,
      allowGuestControl: connectable?.allowGuestControl ?? true,
      connected: connectable?.connected ?? false,
    },
    controllerKey,
    unitNumber,
    addressType,
    macAddress,
  };
  return { operation: 'edit', device: typed(typeOf(adapter) ?? 'VirtualEthernetCard', device) };
}
