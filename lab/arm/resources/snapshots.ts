import { createHash } from 'node:crypto';
import type { Answer, ArmRequest } from '../http.ts';
import { ArmError, parseBody } from '../http.ts';
import type { Disk, JsonObject, Snapshot } from '../model.ts';
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
  tagsOf,
} from './common.ts';
import { copySource, diskBody, planBytes } from './disk-source.ts';
import { beginCopy, hasAccess, newFacts, refuseOtherSource, sizeProperties } from './disks.ts';

const TYPE = 'Microsoft.Compute/snapshots';

export const requireSnapshot = requireOf(TYPE);

/** A snapshot holds the disk's bytes as they are when the request is accepted, also while its machine runs. */
export async function putSnapshot(simulator: Simulator, request: ArmRequest): Promise<Answer> {
  const body = parseBody(request, diskBody);
  requireWritableGroup(simulator, request);
  const location = requireLocation(simulator, body.location);
  if (body.properties.creationData.createOption !== 'Copy') {
    throw new ArmError(400, 'InvalidParameter', "Snapshots are made with createOption 'Copy' here.");
  }
  const id = resourceId(simulator, request, TYPE);
  const existing = simulator.store.find(TYPE, id);
  if (existing !== undefined && existing.state !== 'Failed') {
    refuseOtherSource(existing, body);
    if (!isSameRequest(existing, request)) requireIdle(simulator, id);
    const repeated = answerRepeated(simulator, existing, render(existing), 202);
    if (repeated !== null) return repeated;
  }
  const name = request.params.name ?? '';
  const plan = await planBytes(simulator, name, body);
  requireWritableGroup(simulator, request);
  const snapshot: Snapshot = {
    id: existing?.id ?? id,
    type: TYPE,
    name: existing?.name ?? name,
    location,
    tags: tagsOf(body.tags),
    state: existing === undefined ? 'Creating' : 'Updating',
    body: jsonBody(request),
    facts: {
      ...newFacts(plan),
      incremental: body.properties.incremental === true,
      familyId: familyOf(copySource(simulator, plan.source)),
      number: 1 + Math.max(0, ...simulator.store.ofType(TYPE).map(({ facts }) => facts.number)),
    },
  };
  return beginCopy(simulator, request, snapshot, plan, render(snapshot));
}

/** The same for all copies of one disk, another for a disk made anew under its name. */
function familyOf(source: Disk | Snapshot): string {
  if (source.type === TYPE) return source.facts.familyId;
  const digest = createHash('sha256').update(`family ${source.facts.uniqueId}`).digest('hex');
  return digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}

export function getSnapshot(simulator: Simulator, request: ArmRequest): Answer {
  return { status: 200, json: render(requireSnapshot(simulator, request)) };
}

export const listSnapshots = listOf(TYPE, (_simulator, snapshot) => render(snapshot));

export function render(snapshot: Snapshot): JsonObject {
  const { facts } = snapshot;
  return {
    sku: { name: 'Standard_LRS', tier: 'Standard' },
    ...renderResource(snapshot, {
      ...sizeProperties(facts),
      diskState: hasAccess(facts) ? 'ActiveSAS' : 'Unattached',
      incremental: facts.incremental,
      ...(facts.incremental ? { incrementalSnapshotFamilyId: facts.familyId } : {}),
      completionPercent: snapshot.state === 'Succeeded' ? 100 : 0,
    }),
  };
}
