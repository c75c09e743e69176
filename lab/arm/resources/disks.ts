import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { GiB } from '../../../domain/units.ts';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { OperationKind } from '../lro.ts';
import { begun } from '../lro.ts';
import type { Disk, DiskFacts, JsonObject, Snapshot } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import {
  answerRepeated,
  isSameRequest,
  jsonBody,
  listOf,
  renderResource,
  requireIdle,
  requireLocation,
  requireOf,
  requireWritableGroup,
  resourceId,
  sameId,
  tagsOf,
} from './common.ts';
import { renderSku, requireDiskSku } from './disk-skus.ts';
import { diskBody, planBytes } from './disk-source.ts';
import type { DiskBody, Plan } from './disk-source.ts';
import { hasAccess } from './sharing.ts';
import { requireZone } from './zones.ts';

const TYPE = 'Microsoft.Compute/disks';

export const requireDisk = requireOf(TYPE);

export async function putDisk(simulator: Simulator, request: ArmRequest): Promise<Answer> {
  const body = parseBody(request, diskBody);
  requireWritableGroup(simulator, request);
  const location = requireLocation(simulator, body.location);
  const id = resourceId(simulator, request, TYPE);
  requireDiskSku(body.sku?.name);
  requireZone(id, location, body.zones);
  const existing = simulator.store.find(TYPE, id);
  if (existing !== undefined && existing.state !== 'Failed') {
    if (isSameRequest(existing, request)) {
      const repeated = answerRepeated(simulator, existing, render(simulator, existing), 202);
      if (repeated !== null) return repeated;
    }
    return updateDisk(simulator, request, existing, body);
  }
  const plan = await planBytes(simulator, request.params.name ?? '', body);
  requireWritableGroup(simulator, request);
  const disk: Disk = {
    id: existing?.id ?? id,
    type: TYPE,
    name: existing?.name ?? request.params.name ?? '',
    location,
    tags: tagsOf(body.tags),
    state: existing === undefined ? 'Creating' : 'Updating',
    body: jsonBody(request),
    facts: newFacts(plan),
  };
  return beginCopy(simulator, request, disk, plan, render(simulator, disk));
}

/** 202 with provisioningState Updating, as Compute answers a new disk. */
export function beginCopy(
  simulator: Simulator,
  request: ArmRequest,
  resource: Disk | Snapshot,
  plan: Plan,
  json: JsonObject,
): Answer {
  const operation = simulator.lro.begin({
    kind: 'disk.create',
    resourceId: resource.id,
    location: resource.location,
    provider: 'Microsoft.Compute',
    request,
    durationMs: simulator.store.settings.importMs,
    detail: plan.detail,
    changes: [{ put: resource }],
  });
  return begun(simulator, operation, { status: 202, json });
}

export function newFacts(plan: Plan): DiskFacts {
  return {
    layers: plan.layers,
    isFilled: false,
    bytes: plan.bytes,
    source: plan.source,
    uniqueId: randomUUID(),
    createdAt: new Date().toISOString(),
    access: null,
  };
}

function updateDisk(simulator: Simulator, request: ArmRequest, disk: Disk, body: DiskBody): Answer {
  refuseOtherSource(disk, body);
  requireIdle(simulator, disk.id);
  const updated: Disk = { ...disk, tags: tagsOf(body.tags), body: jsonBody(request), state: 'Updating' };
  const operation = simulator.lro.begin({
    kind: 'resource.settle',
    resourceId: disk.id,
    location: disk.location,
    provider: 'Microsoft.Compute',
    request,
    durationMs: simulator.store.settings.operationMs,
    changes: [{ put: updated }],
  });
  return begun(simulator, operation, { status: 202, json: render(simulator, updated) });
}

export function refuseOtherSource(resource: Disk | Snapshot, body: DiskBody): void {
  const { properties } = resource.body;
  const before = (properties as JsonObject | undefined)?.creationData;
  if (isDeepStrictEqual(before, body.properties.creationData)) return;
  throw new ArmError(
    409,
    'PropertyChangeNotAllowed',
    `Changing property 'creationData' of ${resource.type} '${resource.name}' is not allowed.`,
  );
}

/** An import's layer is named by the operation: a repeated attempt after a crash fills the same one. */
export const diskCreate: OperationKind = {
  work: async (simulator, operation, signal) => {
    const disk = simulator.store.resource(operation.resourceId);
    if (disk?.type !== TYPE && disk?.type !== 'Microsoft.Compute/snapshots') return;
    const { bytes } = disk.facts;
    const { detail, id } = operation;
    if (typeof detail.import === 'string' && typeof detail.etag === 'string') {
      const blob = { diskBytes: Number(detail.bytes), etag: detail.etag };
      const data = await simulator.source.data(detail.import, blob, signal);
      await simulator.bytes.fill(id, bytes, data, signal);
    }
  },
  finish: (simulator, operation) => {
    const disk = simulator.store.resource(operation.resourceId);
    if (disk?.type === TYPE) {
      const isImport = operation.detail.import !== undefined;
      const layers = isImport ? [operation.id] : disk.facts.layers;
      if (isImport) {
        simulator.writes.imported(disk.id, simulator.bytes.bytesWritten(layers), operation.startedAt);
      }
      return {
        changes: [{ put: { ...disk, state: 'Succeeded', facts: { ...disk.facts, layers, isFilled: true } } }],
      };
    }
    if (disk?.type === 'Microsoft.Compute/snapshots') {
      return {
        changes: [{ put: { ...disk, state: 'Succeeded', facts: { ...disk.facts, isFilled: true } } }],
      };
    }
    return { changes: [] };
  },
};

/** Ends an update that changes nothing but the document. */
export const resourceSettle: OperationKind = {
  finish: (simulator, operation) => {
    const resource = simulator.store.resource(operation.resourceId);
    return { changes: resource === undefined ? [] : [{ put: { ...resource, state: 'Succeeded' } }] };
  },
};

export function getDisk(simulator: Simulator, request: ArmRequest): Answer {
  return { status: 200, json: render(simulator, requireDisk(simulator, request)) };
}

export const listDisks = listOf(TYPE, (simulator, disk) => render(simulator, disk));

/** The VM a disk is attached to; derived, so that it can never disagree with the VM. */
export function vmOfDisk(simulator: Simulator, diskId: string) {
  return simulator.store
    .ofType('Microsoft.Compute/virtualMachines')
    .find(({ facts }) => facts.disks.some(({ id }) => sameId(id, diskId)));
}

export function render(simulator: Simulator, disk: Disk): JsonObject {
  const vm = vmOfDisk(simulator, disk.id);
  return {
    ...(vm === undefined ? {} : { managedBy: vm.id }),
    ...renderResource(disk, {
      ...sizeProperties(disk.facts),
      diskState: diskState(disk, vm?.facts.power),
    }),
    sku: renderSku(disk),
  };
}

export function sizeProperties(facts: DiskFacts): JsonObject {
  return {
    diskSizeGB: Math.ceil(facts.bytes / GiB),
    diskSizeBytes: facts.bytes,
    timeCreated: facts.createdAt,
    uniqueId: facts.uniqueId,
  };
}

function diskState(disk: Disk, power: string | undefined): string {
  if (power !== undefined) return power === 'deallocated' ? 'Reserved' : 'Attached';
  return hasAccess(disk.facts) ? 'ActiveSAS' : 'Unattached';
}
