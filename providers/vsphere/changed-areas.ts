/** Asks vCenter which areas of a disk changed between two snapshots, page after page until the end of the disk. */
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import { coalesceExtents, joinExtents } from '../../domain/extents.ts';
import type { MachineId } from '../../domain/ids.ts';
import type { MachineSnapshot, SnapshotDisk } from '../../domain/ports.ts';
import type { Extent } from '../../domain/replication.ts';
import { roundUp, SECTOR_BYTES } from '../../domain/units.ts';
import { describeFault, isFault, VimFault } from './faults.ts';
import { requests } from './requests.ts';
import type { VimSession } from './session.ts';
import { type MoRef, mor } from './values.ts';

/** Every area ever written since tracking began. */
const ALL_AREAS = '*';

export interface ChangedAreasQuery {
  readonly snapshot: MachineSnapshot;
  readonly deviceKey: number;
  readonly changeId: string;
}

const bytesSchema = z.coerce.number().int().nonnegative();

const pageSchema = z.object({
  startOffset: bytesSchema,
  length: bytesSchema,
  changedArea: z.array(z.object({ start: bytesSchema, length: bytesSchema })).default([]),
});

export type Page = z.output<typeof pageSchema>;

/**
 * Yields extents in ascending order that neither overlap nor touch. vCenter answers at most about 2,000 areas
 * at a time and says how far an answer reaches; what lies behind is asked for again.
 * @throws DR_REPLICATION_CBT_RESET when only a full read can tell what changed
 */
export async function* changedAreas(
  session: VimSession,
  machine: { readonly id: MachineId; readonly ref: MoRef },
  query: ChangedAreasQuery,
): AsyncGenerator<Extent> {
  const reset = (reason: string, cause?: unknown) =>
    new DrError(
      'DR_REPLICATION_CBT_RESET',
      { machine: machine.id, disk: query.deviceKey, reason },
      cause === undefined ? {} : { cause },
    );
  const disk = query.snapshot.disks.find(({ deviceKey }) => deviceKey === query.deviceKey);
  const refusal = refuse(disk, query.changeId);
  if (disk === undefined || refusal !== undefined) throw reset(refusal ?? 'the snapshot lacks the disk');

  const ask = (startOffset: number) => askPage(session, machine.ref, query, startOffset);
  try {
    yield* mergePages(disk.capacityBytes, ask);
  } catch (error) {
    throw isUnanswerable(error) ? reset(describeFault(error), error) : error;
  }
}

/**
 * Asks page after page until `capacityBytes` and joins what touches. An area that a page names beyond its own end
 * counts, and is put in its place among those of the pages that follow.
 * @throws VimFault `FileFault` when an answer is no page, leaves bytes out or brings the end no nearer
 */
export async function* mergePages(
  capacityBytes: number,
  ask: (startOffset: number) => Promise<unknown>,
): AsyncGenerator<Extent> {
  let ahead: Extent[] = [];
  let pending: Extent | undefined;
  for (let offset = 0; offset < capacityBytes;) {
    const page = readPage(await ask(offset), offset);
    const end = page.startOffset + page.length;
    const known = coalesceExtents([...ahead, ...toExtents(page, offset, capacityBytes)], 0);
    for (const extent of known.filter((candidate) => candidate.offset < end)) {
      const both = pending === undefined ? null : joinExtents(pending, extent, 0);
      if (pending !== undefined && both === null) yield pending;
      pending = both ?? extent;
    }
    ahead = known.filter((candidate) => candidate.offset >= end);
    offset = end;
  }
  if (pending !== undefined) yield pending;
}

function readPage(answer: unknown, asked: number): Page {
  const untrue = (reason: string) =>
    new VimFault('FileFault', `vCenter's answer for changes from ${asked} on ${reason}`);
  const { data: page } = pageSchema.safeParse(answer);
  if (page === undefined) throw untrue('was not understood');
  if (page.startOffset > asked) throw untrue(`begins at ${page.startOffset}`);
  if (page.startOffset + page.length <= asked) throw untrue('is empty');
  return page;
}

function refuse(disk: SnapshotDisk | undefined, changeId: string): string | undefined {
  if (disk === undefined) return 'the snapshot lacks the disk';
  if (disk.changeId === null) return 'change tracking is not active';
  if (changeId === ALL_AREAS) return undefined;
  const [asked, present] = [readChangeId(changeId), readChangeId(disk.changeId)];
  if (asked.run !== present.run) return 'tracking was started anew';
  if (asked.number > present.number) return 'the disk went back to an earlier snapshot';
  return undefined;
}

/** A changeId is `<uuid bytes>/<number>`. Within one uuid the number grows with time; only a revert turns it back. */
function readChangeId(changeId: string): { readonly run: string; readonly number: number } {
  const at = changeId.lastIndexOf('/');
  return { run: changeId.slice(0, at), number: Number(changeId.slice(at + 1)) };
}

async function askPage(
  session: VimSession,
  machine: MoRef,
  { snapshot, deviceKey, changeId }: ChangedAreasQuery,
  startOffset: number,
): Promise<unknown> {
  const ref = mor('VirtualMachineSnapshot', snapshot.moRef);
  const request = requests.changedAreas(machine, { snapshot: ref, deviceKey, startOffset, changeId });
  return session.call(request);
}

/** What vCenter answers when its record of changes does not reach back, or is damaged (KB 320557). */
function isUnanswerable(error: unknown): error is VimFault {
  return isFault(error, 'FileFault', 'FileNotFound', 'NotFound', 'InvalidArgument', 'NotSupported');
}

/** Whole sectors from `from` to the end of the disk. What lies before `from` came with an earlier page. */
function toExtents(page: Page, from: number, capacityBytes: number): Extent[] {
  return page.changedArea
    .map(({ start, length }) => {
      const offset = Math.max(start, from) - (Math.max(start, from) % SECTOR_BYTES);
      const end = Math.min(roundUp(start + length, SECTOR_BYTES), capacityBytes);
      return { offset, length: end - offset };
    })
    .filter(({ length }) => length > 0);
}
