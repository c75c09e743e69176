/** Machines of a vCenter: all of them in pages, or one by its id. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { MachineId } from '../../domain/ids.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import { isFault, SessionLost } from './faults.ts';
import { readFolderPaths } from './folders.ts';
import { type ObjectContent, retrieveAll } from './listing.ts';
import { MACHINE_PATHS, toMachine } from './machine.ts';
import { propertiesOf, retrieve } from './properties.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { type MoRef, moRefSchema } from './values.ts';

const RESTARTS_MAX = 3;

/** Pages of at most 100 machines. A listing whose session is lost starts over and leaves out what it has shown. */
export async function* listMachines(
  session: VimSession,
  signal?: AbortSignal,
): AsyncGenerator<DiscoveredMachine[]> {
  const shown = new Set<string>();
  for (let restarts = 0; ; restarts += 1) {
    try {
      const networkNames = await readNetworkNames(session, signal);
      const folderPaths = await readFolderPaths(session, signal);
      const query = { type: 'VirtualMachine', paths: MACHINE_PATHS };
      for await (const page of retrieveAll(session, query, signal)) {
        const fresh = page.filter(({ obj }) => !shown.has(obj.$value));
        for (const { obj } of fresh) shown.add(obj.$value);
        const names = { networkNames, folderPaths };
        const machines = fresh.flatMap((content) => describe(session, content, names) ?? []);
        if (machines.length > 0) yield machines;
      }
      return;
    } catch (error) {
      if (!(error instanceof SessionLost) || restarts === RESTARTS_MAX) throw error;
    }
  }
}

/** Reference of a machine; null when none of that id is registered. */
export async function searchMachine(session: VimSession, id: MachineId): Promise<MoRef | null> {
  const found = await session.call((service) => requests.findByInstanceUuid(service, id));
  return found === undefined || found === null ? null : moRefSchema.parse(found);
}

/** Reference of a machine. @throws DR_MACHINE_UNKNOWN */
export async function findMachine(session: VimSession, id: MachineId): Promise<MoRef> {
  const ref = await searchMachine(session, id);
  if (ref === null) throw new DrError('DR_MACHINE_UNKNOWN', { machine: id });
  return ref;
}

export async function getMachine(session: VimSession, id: MachineId): Promise<DiscoveredMachine> {
  const machine = await describeMachine(session, await findMachine(session, id));
  if (machine === null) throw new DrError('DR_MACHINE_UNKNOWN', { machine: id });
  return machine;
}

/** Null for a template, and for a machine that is gone or that vCenter cannot describe. */
export async function describeMachine(session: VimSession, ref: MoRef): Promise<DiscoveredMachine | null> {
  const networkNames = await session.resume(() => readNetworkNames(session));
  const properties = await retrieve(session, ref, MACHINE_PATHS).catch((error: unknown) => {
    if (isFault(error, 'ManagedObjectNotFound')) return {};
    throw error;
  });
  const origin = { vcenterId: session.connection.id, moRef: ref.$value, networkNames };
  return toMachine(properties, origin);
}

function describe(
  session: VimSession,
  content: ObjectContent,
  names: {
    readonly networkNames: ReadonlyMap<string, string>;
    readonly folderPaths: ReadonlyMap<string, string>;
  },
): DiscoveredMachine | null {
  const moRef = content.obj.$value;
  return toMachine(propertiesOf(content), { vcenterId: session.connection.id, moRef, ...names });
}

const networkSchema = z.object({ key: z.string(), name: z.string() });

/** Names of distributed port groups by key: network adapters refer to them by key only. */
async function readNetworkNames(session: VimSession, signal?: AbortSignal): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const query = { type: 'DistributedVirtualPortgroup', paths: ['key', 'name'] };
  for await (const page of retrieveAll(session, query, signal)) {
    for (const content of page) {
      const network = networkSchema.safeParse(propertiesOf(content));
      if (network.success) names.set(network.data.key, network.data.name);
    }
  }
  return names;
}
