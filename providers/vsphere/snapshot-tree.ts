/** The tree of snapshots of a machine, flattened. */
import { z } from 'zod';
import { type MoRef, moRefSchema } from './values.ts';

export interface SnapshotNode {
  readonly snapshot: MoRef;
  readonly name: string;
  /** ISO 8601 UTC, by the source's clock. */
  readonly createTime: string;
  /** Repeats what was asked for, see `createSnapshot`. */
  readonly quiesced: boolean;
  readonly childSnapshotList: readonly SnapshotNode[];
}

const snapshotNodeSchema: z.ZodType<SnapshotNode> = z.object({
  snapshot: moRefSchema,
  name: z
    .string()
    .nullish()
    .transform((name) => name ?? ''),
  createTime: z.union([z.date(), z.string()]).transform((time) => new Date(time).toISOString()),
  quiesced: z.boolean(),
  get childSnapshotList() {
    return z.array(snapshotNodeSchema).default([]);
  },
});

/** All snapshots of a `rootSnapshotList`, parents before children. */
export function flattenSnapshots(rootSnapshotList: unknown): SnapshotNode[] {
  const flatten = (nodes: readonly SnapshotNode[]): SnapshotNode[] =>
    nodes.flatMap((node) => [node, ...flatten(node.childSnapshotList)]);
  return flatten(z.array(snapshotNodeSchema).parse(rootSnapshotList ?? []));
}
