import { z } from 'zod';
import { GiB, MiB } from '../../../domain/units.ts';
import { ArmError } from '../http.ts';
import type { Disk, JsonObject, Snapshot } from '../model.ts';
import type { Simulator } from '../simulator.ts';
import { resourceBody } from './common.ts';
import { completionPercent } from './snapshot-limits.ts';
import { zonesSchema } from './zones.ts';

const creationData = z.looseObject({
  createOption: z.enum(['Import', 'Copy', 'Empty']),
  sourceUri: z.string().optional(),
  storageAccountId: z.string().optional(),
  sourceResourceId: z.string().optional(),
});

export const diskBody = resourceBody.extend({
  sku: z.looseObject({ name: z.string().optional() }).optional(),
  zones: zonesSchema,
  properties: z.looseObject({
    creationData,
    diskSizeGB: z.number().int().positive().optional(),
    incremental: z.boolean().optional(),
  }),
});

export type DiskBody = z.infer<typeof diskBody>;
type CreationData = z.infer<typeof creationData>;

/** What a disk or snapshot will be made of; `detail` goes to the operation that copies the bytes. */
export interface Plan {
  readonly bytes: number;
  readonly source: string;
  /** Those it shares with what it is a copy of. */
  readonly layers: readonly string[];
  readonly detail: JsonObject;
}

type Planner = (
  simulator: Simulator,
  request: { readonly name: string; readonly from: CreationData; readonly askedBytes: number },
) => Plan | Promise<Plan>;

const planners: Readonly<Record<CreationData['createOption'], Planner>> = {
  Import: async (simulator, { name, from, askedBytes }) => {
    const source = required(from.sourceUri, 'sourceUri');
    const blob = await simulator.source.inspect(name, source, from.storageAccountId);
    const detail = { import: source, etag: blob.etag, bytes: blob.diskBytes };
    return { bytes: atLeast(blob.diskBytes, askedBytes), source, layers: [], detail };
  },
  Copy: (simulator, { from, askedBytes }) => {
    const source = copySource(simulator, required(from.sourceResourceId, 'sourceResourceId'));
    return {
      bytes: atLeast(source.facts.bytes, askedBytes),
      source: source.id,
      layers: source.facts.layers,
      detail: {},
    };
  },
  Empty: (_simulator, { askedBytes }) => ({
    bytes: required(askedBytes === 0 ? undefined : askedBytes, 'diskSizeGB'),
    source: 'Empty',
    layers: [],
    detail: {},
  }),
};

/** Decides what is copied and how large the result is; checks the source. */
export async function planBytes(simulator: Simulator, name: string, body: DiskBody): Promise<Plan> {
  const { creationData: from, diskSizeGB = 0 } = body.properties;
  return planners[from.createOption](simulator, { name, from, askedBytes: diskSizeGB * GiB });
}

/** A disk or snapshot that can be copied now. */
export function copySource(simulator: Simulator, id: string): Disk | Snapshot {
  const source =
    simulator.store.find('Microsoft.Compute/disks', id) ??
    simulator.store.find('Microsoft.Compute/snapshots', id);
  if (source === undefined)
    throw new ArmError(404, 'ResourceNotFound', `The Resource '${id}' was not found.`);
  if (!source.facts.isFilled || source.state === 'Deleting') {
    throw new ArmError(409, 'Conflict', `The source ${id} is not ready: its state is ${source.state}.`);
  }
  const isWhole = source.type === 'Microsoft.Compute/disks' || completionPercent(source) === 100;
  if (!isWhole)
    throw new ArmError(409, 'Conflict', `The source ${id} is not ready: it is still being copied.`);
  return source;
}

/** A larger size grows the disk; 0 asks for none. */
function atLeast(sourceBytes: number, askedBytes: number): number {
  if (askedBytes === 0 || askedBytes >= sourceBytes) return Math.max(sourceBytes, askedBytes);
  throw new ArmError(
    400,
    'InvalidParameter',
    `Parameter 'diskSizeGB' is smaller than the source of ${sourceBytes / MiB} MiB.`,
  );
}

function required<T>(value: T | undefined, name: string): T {
  if (value !== undefined) return value;
  throw new ArmError(400, 'InvalidParameter', `Required parameter '${name}' is missing (null).`);
}
