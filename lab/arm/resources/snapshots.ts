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
import { renderSku, requireSnapshotSku } from './disk-skus.ts';
import { beginCopy, newFacts, refuseOtherSource, sizeProperties } from './disks.ts';
import { hasAccess } from './sharing.ts';
import { completionPercent, copyMsOf, requireSnapshotRate } from './snapshot-limits.ts';

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
  const incremental = body.properties.incremental === true;
  requireSnapshotSku(body.sku?.name, incremental);
  const plan = await planBytes(simulator, name, body);
  requireWritableGroup(simulator, request);
  const source = copySource(simulator, plan.source);
  const familyId = familyOf(source);
  if (incremental) requireSnapshotRate(simulator, familyId);
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
      incremental,
      familyId,
      number: 1 + Math.max(0, ...simulator.store.ofType(TYPE).map(({ facts }) => facts.number)),
      copyMs: copyMsOf(simulator, source),
    },
  };
  const detail = incremental ? { incrementalOf: familyId } : {};
  return beginCopy(simulator, request, snapshot, { ...plan, detail }, render(snapshot));
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
    ...renderResource(snapshot, {
      ...sizeProperties(facts),
      diskState: hasAccess(facts) ? 'ActiveSAS' : 'Unattached',
      incremental: facts.incremental,
      ...(facts.incremental ? { incrementalSnapshotFamilyId: facts.familyId } : {}),
      completionPercent: completionPercent(snapshot),
    }),
    sku: renderSku(snapshot),
  };
}
