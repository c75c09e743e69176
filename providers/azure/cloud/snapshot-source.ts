/** `AzureSnapshotSource`: a snapshot, opened for reading and for comparing with an older one of its family. */
import { DrError } from '../../../domain/errors.ts';
import {
  coalesceExtents,
  extentEnd,
  intersectExtent,
  splitExtent,
  subtractExtents,
} from '../../../domain/extents.ts';
import type { AzureSnapshot, AzureSnapshotSource, Cloud } from '../../../domain/ports.ts';
import type { Extent } from '../../../domain/replication.ts';
import { GiB, MiB, SECTOR_BYTES } from '../../../domain/units.ts';
import type { Clients } from './clients.ts';
import { createDataMap } from './data-map.ts';
import { failureError } from './errors.ts';
import { gone } from './operation.ts';
import type { PageList } from './page-list.ts';
import { nameOf } from './resource-id.ts';
import { createGrant } from './snapshot-access.ts';
import type { Grant } from './snapshot-access.ts';
import { openSnapshotBlob } from './snapshot-blob.ts';
import type { SnapshotBlob } from './snapshot-blob.ts';
import { readSnapshot } from './snapshots.ts';

/** One question about changes; Azure answers it in pages of at most 10,000 ranges. */
const LIST_WINDOW_BYTES = 64 * GiB;
const READ_BYTES_MAX = 4 * MiB;
/** Of one call. */
const PARTS_AT_ONCE = 8;
/** Azure answers a request after some milliseconds, whatever it asks for. 16 MiB are on their way for each disk. */
const READ_BYTES = 2 * MiB;
const READS_AT_ONCE = 8;

export function createSnapshotSources(clients: Clients): Pick<Cloud, 'openSnapshot'> {
  return {
    async openSnapshot(resourceId, previousId, signal) {
      const snapshot = await requireSnapshot(clients, resourceId);
      if (previousId !== null) requireFamily(snapshot, await requireSnapshot(clients, previousId));
      const grant = createGrant(clients, resourceId);
      const previous = previousId === null ? null : createGrant(clients, previousId);
      const source = new SnapshotSource(clients, snapshot, grant, previous);
      try {
        await Promise.all([grant.address(signal), previous?.address(signal)]);
        return source;
      } catch (error) {
        await source.close().catch(() => undefined);
        throw error;
      }
    },
  };
}

async function requireSnapshot(clients: Clients, resourceId: string): Promise<AzureSnapshot> {
  const snapshot = await readSnapshot(clients, resourceId);
  if (snapshot === null) throw failureError({ attempted: `open snapshot ${nameOf(resourceId)}` }, gone);
  return snapshot;
}

/** A full snapshot has no family. */
function requireFamily(snapshot: AzureSnapshot, previous: AzureSnapshot): void {
  if (snapshot.familyId !== '' && snapshot.familyId === previous.familyId) return;
  throw new DrError('DR_AZURE_SNAPSHOT_UNRELATED', { snapshot: snapshot.name, previous: previous.name });
}

class SnapshotSource implements AzureSnapshotSource {
  readonly capacityBytes: number;
  readonly readBytes = READ_BYTES;
  readonly readsAtOnce = READS_AT_ONCE;
  readonly #name: string;
  readonly #grants: readonly Grant[];
  readonly #previous: Grant | null;
  readonly #blob: SnapshotBlob;
  readonly #data: ReturnType<typeof createDataMap>;
  readonly #closed = new AbortController();
  #closing: Promise<void> | null = null;

  constructor(clients: Clients, snapshot: AzureSnapshot, grant: Grant, previous: Grant | null) {
    this.capacityBytes = snapshot.bytes;
    this.#name = snapshot.name;
    this.#grants = previous === null ? [grant] : [grant, previous];
    this.#previous = previous;
    this.#blob = openSnapshotBlob(clients, snapshot.resourceId, grant);
    this.#data = createDataMap(snapshot.bytes, (window) => this.#list(window, null, this.#closed.signal));
  }

  async read(offset: number, into: Uint8Array, signal: AbortSignal): Promise<void> {
    const range = { offset, length: into.byteLength };
    this.#check(range);
    const data = await this.#data.within(range, signal);
    const part = ({ offset: from, length }: Extent) => into.subarray(from - offset, from - offset + length);
    for (const hole of subtractExtents(range, data)) part(hole).fill(0);
    const pieces = data.flatMap((extent) => [...splitExtent(extent, READ_BYTES_MAX)]);
    await allOrStop(pieces, this.#whileOpen(signal), (piece, until) =>
      this.#blob.read(piece.offset, part(piece), until),
    );
  }

  async dataExtents(range: Extent, signal: AbortSignal): Promise<readonly Extent[]> {
    this.#check(range);
    return this.#data.within(range, signal);
  }

  async *changedExtents(signal: AbortSignal): AsyncGenerator<Extent> {
    const open = this.#whileOpen(signal);
    for (const window of splitExtent({ offset: 0, length: this.capacityBytes }, LIST_WINDOW_BYTES)) {
      for await (const extents of this.#list(window, this.#previous, open)) yield* extents;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed.abort(new DrError('DR_INTERNAL', { reason: `snapshot ${this.#name} is closed` }));
    const [destroyed, ...revoked] = await Promise.allSettled([
      this.#blob.destroy(),
      ...this.#grants.map((grant) => grant.revoke()),
    ]);
    const failed = [...revoked, destroyed].find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Pages of ranges in order. The VHD footer behind the disk's bytes is never asked for. */
  async *#list(window: Extent, since: Grant | null, signal: AbortSignal): AsyncGenerator<Extent[]> {
    let rest: Extent = window;
    for (let marker: string | null = null; ;) {
      const page: PageList = await this.#blob.pageList(window, { since, marker }, signal);
      // A list may reach over the ends of its window, and a page over the end of the one before.
      const extents = page.extents.flatMap((extent) => intersectExtent(extent, rest) ?? []);
      const isBackwards = page.extents.some((extent) => extentEnd(extent) <= rest.offset);
      if (marker !== null && (isBackwards || page.marker === marker)) throw this.#outOfOrder();
      yield coalesceExtents(extents, 0);
      if (page.marker === null) return;
      marker = page.marker;
      const end = extents.reduce((most, extent) => Math.max(most, extentEnd(extent)), rest.offset);
      rest = { offset: end, length: extentEnd(window) - end };
    }
  }

  #whileOpen(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closed.signal]);
  }

  #outOfOrder(): DrError {
    return failureError(
      { attempted: `list the ranges of snapshot ${this.#name}` },
      { status: null, code: 'RangesOutOfOrder', message: 'the pages of the list do not follow each other' },
    );
  }

  #check({ offset, length }: Extent): void {
    if (this.#closed.signal.aborted) throw this.#closed.signal.reason;
    const isAligned = offset % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0;
    if (isAligned && offset >= 0 && offset + length <= this.capacityBytes) return;
    throw new DrError('DR_INTERNAL', {
      reason: `range ${offset}+${length} of snapshot ${this.#name} (${this.capacityBytes} bytes) is not aligned or out of bounds`,
    });
  }
}

/** Some at once; when one fails the others are stopped, and have ended when this throws. */
async function allOrStop<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, until: AbortSignal) => Promise<void>,
): Promise<void> {
  const [only] = items;
  if (items.length === 1 && only !== undefined) return work(only, signal);
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const queue = items.values();
  const runs = Array.from({ length: Math.min(PARTS_AT_ONCE, items.length) }, async () => {
    try {
      for (const item of queue) {
        until.throwIfAborted();
        await work(item, until);
      }
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  });
  const ends = await Promise.allSettled(runs);
  signal.throwIfAborted();
  if (ends.some(({ status }) => status === 'rejected')) throw stop.signal.reason;
}
