import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { OperationKind } from '../lro.ts';
import { begun } from '../lro.ts';
import type { Access, Disk, JsonObject, Resource, Snapshot } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import type { Change } from '../store.ts';
import { requireIdle, requireWritableGroup } from './common.ts';
import { requireDisk, vmOfDisk } from './disks.ts';
import { hasAccess } from './sharing.ts';
import { completionPercent, requireFreeSas } from './snapshot-limits.ts';
import { requireSnapshot } from './snapshots.ts';

const grantBody = z.looseObject({
  access: z.string(),
  /** At most 60 days. */
  durationInSeconds: z.number().int().positive().max(5_184_000),
});

/** Answers 202 with Location; the final GET carries `{accessSAS}`. A live grant is extended and keeps its URL. */
export function beginDiskAccess(simulator: Simulator, request: ArmRequest): Answer {
  const disk = requireDisk(simulator, request);
  const vm = vmOfDisk(simulator, disk.id);
  if (vm !== undefined && vm.facts.power !== 'deallocated') {
    throw new ArmError(
      409,
      'Conflict',
      `Access not permitted because disk ${disk.name} is currently attached to running VM ${vm.id}.`,
    );
  }
  return grant(simulator, request, disk);
}

export function beginSnapshotAccess(simulator: Simulator, request: ArmRequest): Answer {
  return grant(simulator, request, requireSnapshot(simulator, request));
}

export function endDiskAccess(simulator: Simulator, request: ArmRequest): Answer {
  return beginAccess(simulator, request, requireDisk(simulator, request), 'access.revoke', {});
}

export function endSnapshotAccess(simulator: Simulator, request: ArmRequest): Answer {
  return beginAccess(simulator, request, requireSnapshot(simulator, request), 'access.revoke', {});
}

function grant(simulator: Simulator, request: ArmRequest, resource: Disk | Snapshot): Answer {
  const body = parseBody(request, grantBody);
  if (body.access !== 'Read') {
    throw new ArmError(400, 'InvalidParameter', `Access '${body.access}' is not available for this disk.`);
  }
  if (resource.state !== 'Succeeded') {
    throw new ArmError(409, 'Conflict', `${resource.id} is not ready: its state is ${resource.state}.`);
  }
  if (resource.type === 'Microsoft.Compute/snapshots') {
    requireFreeSas(simulator, resource);
    const percent = completionPercent(resource);
    if (percent < 100) {
      throw new ArmError(
        409,
        'Conflict',
        `${resource.id} is not ready: its copy is ${percent} percent done.`,
      );
    }
  }
  return beginAccess(simulator, request, resource, 'access.grant', { seconds: body.durationInSeconds });
}

function beginAccess(
  simulator: Simulator,
  request: ArmRequest,
  resource: Disk | Snapshot,
  kind: string,
  detail: JsonObject,
): Answer {
  requireWritableGroup(simulator, request);
  const running = simulator.lro.inProgress(resource.id);
  if (running?.kind === kind) return begun(simulator, running, { status: 202 });
  requireIdle(simulator, resource.id);
  const operation = simulator.lro.begin({
    kind,
    resourceId: resource.id,
    location: resource.location,
    provider: 'Microsoft.Compute',
    request,
    durationMs: simulator.store.settings.operationMs,
    detail,
    changes: [],
  });
  return begun(simulator, operation, { status: 202 });
}

export const accessGrant: OperationKind = {
  finish: (simulator, operation) => {
    const resource = diskOrSnapshot(simulator.store.resource(operation.resourceId));
    if (resource === null)
      throw new ArmError(404, 'ResourceNotFound', `${operation.resourceId} was not found.`);
    if (resource.type === 'Microsoft.Compute/snapshots') requireFreeSas(simulator, resource);
    const expiresAt = Date.now() + Number(operation.detail.seconds) * 1_000;
    const kept = hasAccess(resource.facts) ? resource.facts.access : null;
    const access: Access = { ...(kept ?? newAccess()), expiresAt };
    return { changes: withAccess(resource, access), output: { accessSAS: accessUrl(simulator, access) } };
  },
  fail: () => [],
};

export const accessRevoke: OperationKind = {
  finish: (simulator, operation) => {
    const resource = diskOrSnapshot(simulator.store.resource(operation.resourceId));
    return { changes: resource === null ? [] : withAccess(resource, null) };
  },
  fail: () => [],
};

export function diskOrSnapshot(resource: Resource | undefined): Disk | Snapshot | null {
  const isOne =
    resource?.type === 'Microsoft.Compute/disks' || resource?.type === 'Microsoft.Compute/snapshots';
  return isOne ? resource : null;
}

function withAccess(resource: Disk | Snapshot, access: Access | null): Change[] {
  return resource.type === 'Microsoft.Compute/disks'
    ? [{ put: { ...resource, facts: { ...resource.facts, access } } }]
    : [{ put: { ...resource, facts: { ...resource.facts, access } } }];
}

function newAccess(): Omit<Access, 'expiresAt'> {
  return {
    token: `md-${randomBytes(9).toString('hex')}`,
    signature: randomBytes(32).toString('base64'),
    policy: randomUUID(),
  };
}

function accessUrl(simulator: Simulator, { token, policy, signature }: Access): string {
  const query = new URLSearchParams({ sv: '2018-03-28', sr: 'b', si: policy, sig: signature });
  return `${simulator.url()}/${token}/disk/abcd?${query.toString()}`;
}
