/** Machines of a vCenter: all of them in pages, or one by its id. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import type { MachineId } from '../../domain/ids.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import { isFault, SessionLost } from './faults.ts';
import { MACHINE_PATHS, toMachine } from './machine.ts';
import { type objectContentSchema, propertiesOf, retrieve, retrieveResultSchema } from './properties.ts';
import { requests, type ServiceRefs } from './requests.ts';
import type { VimSession } from './session.ts';
import { type MoRef, moRefSchema } from './values.ts';

/** Answers are parsed on the event loop at about 6 MB/s; a page of machines is some 0.6 MB. */
const PAGE_OBJECTS_MAX = 100;
const RESTARTS_MAX = 3;

type ObjectContent = z.output<typeof objectContentSchema>;

/** Pages of at most 100 machines. A listing whose session is lost starts over and leaves out what it has shown. */
export async function* listMachines(
  session: VimSession,
  signal?: AbortSignal,
): AsyncGenerator<DiscoveredMachine[]> {
  const shown = new Set<string>();
  for (let restarts = 0; ; restarts += 1) {
    try {
      const networkNames = await readNetworkNames(session, signal);
      const query = { type: 'VirtualMachine', paths: MACHINE_PATHS };
      for await (const page of retrieveAll(session, query, signal)) {
        const fresh = page.filter(({ obj }) => !shown.has(obj.$value));
        for (const { obj } of fresh) shown.add(obj.$value);
        const machines = fresh.flatMap((content) => describe(session, content, networkNames) ?? []);
        if (machines.length > 0) yield machines;
      }
      return;
    } catch (error) {
      if (!(error instanceof SessionLost) || restarts === RESTARTS_MAX) throw error;
    }
  }
}

/** Reference of a machine. @throws DR_MACHINE_UNKNOWN */
export async function findMachine(session: VimSession, id: MachineId): Promise<MoRef> {
  const found = await session.call((service) => requests.findByInstanceUuid(service, id));
  if (found === undefined || found === null) throw new DrError('DR_MACHINE_UNKNOWN', { machine: id });
  return moRefSchema.parse(found);
}

export async function getMachine(session: VimSession, id: MachineId): Promise<DiscoveredMachine> {
  const ref = await findMachine(session, id);
  const networkNames = await session.resume(() => readNetworkNames(session));
  const machine = toMachine(await retrieve(session, ref, MACHINE_PATHS), {
    vcenterId: session.connection.id,
    moRef: ref.$value,
    networkNames,
  });
  if (machine === null) throw new DrError('DR_MACHINE_UNKNOWN', { machine: id });
  return machine;
}

function describe(
  session: VimSession,
  content: ObjectContent,
  networkNames: ReadonlyMap<string, string>,
): DiscoveredMachine | null {
  const moRef = content.obj.$value;
  return toMachine(propertiesOf(content), { vcenterId: session.connection.id, moRef, networkNames });
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

/**
 * Every object of a type below the root folder. Whoever stops early cancels: vCenter keeps the rest of an
 * abandoned listing in memory.
 * @throws SessionLost also when a token of this listing is not known any more
 */
async function* retrieveAll(
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
