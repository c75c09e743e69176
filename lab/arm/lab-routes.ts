import { z } from 'zod';
import { faultSchema } from './faults.ts';
import { guestRoutes } from './guest-routes.ts';
import type { Answer, ArmRequest } from './http.ts';
import { ArmError, parseBody } from './http.ts';
import type { Fault, Json } from './model.ts';
import { diskOrSnapshot } from './resources/access.ts';
import { vmOfDisk } from './resources/disks.ts';
import type { Route } from './router.ts';
import type { Simulator } from './simulator.ts';

const milliseconds = z.number().int().min(0).max(600_000).optional();
const settingsSchema = z.strictObject({
  importMs: milliseconds,
  snapshotCopyMs: milliseconds,
  snapshotsPerFiveMinutes: z.number().int().min(0).max(100).optional(),
  vmStartMs: milliseconds,
  deleteMs: milliseconds,
  operationMs: milliseconds,
  tokenSeconds: z.number().int().min(1).max(86_400).optional(),
  retryAfterSeconds: z.number().int().min(0).max(600).optional(),
  pageSize: z.number().int().min(1).max(1_000).optional(),
  pageRangesMax: z.number().int().min(1).max(10_000).optional(),
  quotas: z.record(z.string(), z.number().int().min(0)).optional(),
});

/** Disturbing and watching the simulator; without authentication, for tests and the lab command only. */
export const labRoutes: readonly Route[] = [
  { method: 'POST', pattern: '/_lab/faults', handler: addFault },
  { method: 'GET', pattern: '/_lab/faults', handler: ({ store }) => ok(store.faults) },
  { method: 'DELETE', pattern: '/_lab/faults', handler: clearFaults },
  { method: 'POST', pattern: '/_lab/settings', handler: changeSettings },
  { method: 'GET', pattern: '/_lab/settings', handler: ({ store }) => ok(store.settings) },
  { method: 'GET', pattern: '/_lab/disks', handler: listBytes },
  { method: 'GET', pattern: '/_lab/disks/hash', handler: hashBytes },
  { method: 'GET', pattern: '/_lab/resources', handler: ({ store }) => ok(store.resources().map(strip)) },
  { method: 'GET', pattern: '/_lab/operations', handler: ({ store }) => ok(store.operations()) },
  { method: 'GET', pattern: '/_lab/requests', handler: listRequests },
  { method: 'GET', pattern: '/_lab/history', handler: showHistory },
  ...guestRoutes,
];

function addFault({ store }: Simulator, request: ArmRequest): Answer {
  const fault = parseBody(request, faultSchema);
  store.commit([{ faults: [...store.faults, fault] }]);
  return { status: 201, json: fault as unknown as Json };
}

/** Answers those it takes away, with how often each was still to strike: all, or those of a name. */
function clearFaults({ store }: Simulator, request: ArmRequest): Answer {
  const name = request.query.get('name');
  const isMeant = (fault: Fault) => name === null || fault.name === name;
  const withdrawn = store.faults.filter(isMeant);
  if (withdrawn.length > 0) store.commit([{ faults: store.faults.filter((each) => !isMeant(each)) }]);
  return ok(withdrawn);
}

function changeSettings({ store }: Simulator, request: ArmRequest): Answer {
  const { quotas = {}, ...rest } = parseBody(request, settingsSchema);
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const settings = { ...store.settings, ...given, quotas: { ...store.settings.quotas, ...quotas } };
  store.commit([{ settings }]);
  return ok(settings);
}

function listBytes(simulator: Simulator): Answer {
  const disks = [
    ...simulator.store.ofType('Microsoft.Compute/disks'),
    ...simulator.store.ofType('Microsoft.Compute/snapshots'),
  ];
  return ok(
    disks.map(({ id, name, state, facts }) => ({
      id,
      name,
      state,
      bytes: facts.bytes,
      source: facts.source,
      managedBy: vmOfDisk(simulator, id)?.id ?? null,
    })),
  );
}

async function hashBytes(simulator: Simulator, request: ArmRequest): Promise<Answer> {
  const disk = diskOrSnapshot(simulator.store.resource(request.query.get('id') ?? ''));
  if (disk === null || !disk.facts.isFilled) {
    throw new ArmError(404, 'ResourceNotFound', 'No disk or snapshot of that id holds bytes.');
  }
  const asked = request.query.get('blockBytes');
  const blockBytes =
    asked === null
      ? null
      : z.coerce
          .number()
          .int()
          .min(512)
          .max(64 * 1024 * 1024)
          .parse(asked);
  const { sha256, blocks } = await simulator.bytes.hash(disk.facts.layers, disk.facts.bytes, blockBytes);
  return ok({ sha256, bytes: disk.facts.bytes, ...(blockBytes === null ? {} : { blocks }) });
}

function listRequests({ requests }: Simulator, request: ArmRequest): Answer {
  return ok(requests.since(Number(request.query.get('since') ?? 0)));
}

/** Who was on and who wrote when, of deleted machines and disks too. */
function showHistory({ store, writes }: Simulator): Answer {
  const machines = Map.groupBy(store.powerChanges(), ({ machine }) => machine);
  const disks = Map.groupBy(writes.spans(), ({ disk }) => disk);
  return ok({
    machines: [...machines].map(([id, changes]) => ({
      id,
      power: changes.map(({ at, state }) => ({ at, state })),
    })),
    disks: [...disks].map(([id, spans]) => ({
      id,
      writes: spans.map(({ writer, firstAt, lastAt, bytes }) => ({ writer, firstAt, lastAt, bytes })),
    })),
  });
}

function strip({
  id,
  type,
  name,
  location,
  tags,
  state,
}: ReturnType<Simulator['store']['resources']>[number]): Json {
  return { id, type, name, location, tags: { ...tags }, state };
}

function ok(value: unknown): Answer {
  return { status: 200, json: value as Json };
}
