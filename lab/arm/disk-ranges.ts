import type { IncomingHttpHeaders } from 'node:http';
import { VHD_FOOTER_BYTES } from '../../domain/units.ts';
import type { Run } from './block-map.ts';
import { headerOf, parseRange, resourceOf, StorageError } from './disk-access.ts';
import type { Answer } from './http.ts';
import type { Disk, Snapshot } from './model.ts';
import { firstRuns, offsetOf, pageListXml, withFooter } from './page-list.ts';
import type { Range } from './range.ts';
import type { Simulator } from './simulator.ts';

const PAGE_BYTES = 512;

/**
 * Get Page Ranges of an exported disk: the pages that hold data, footer included; with `x-ms-previous-snapshot-url`
 * what changed since an older incremental snapshot of the same family. Answers are cut at the setting's number of
 * ranges, also when the client set no `maxresults`: the SDK's call for managed disks cannot send a marker.
 * learn.microsoft.com/rest/api/storageservices/get-page-ranges
 */
export function answerPageRanges(
  simulator: Simulator,
  target: Disk | Snapshot,
  url: URL,
  headers: IncomingHttpHeaders,
): Answer {
  if (url.searchParams.has('prevsnapshot')) {
    throw new StorageError(400, 'InvalidQueryParameterValue', 'prevsnapshot is not a time of this blob.');
  }
  const { bytes, layers } = target.facts;
  const asked = askedRange(url, headers, bytes + VHD_FOOTER_BYTES);
  const previous = headerOf(headers, 'x-ms-previous-snapshot-url');
  const limit = maxResults(url, simulator.store.settings.pageRangesMax);
  const since = previous === undefined ? 0 : layersBefore(simulator, target, previous);
  const changed = simulator.bytes.runs(layers, since, {
    start: asked.start,
    end: Math.min(asked.end, bytes),
  });
  const isWithFooter = previous === undefined && asked.end > bytes;
  const footer = { start: Math.max(bytes, asked.start), end: asked.end };
  const runs: Iterable<Run> = isWithFooter ? withFooter(changed, footer) : changed;
  return {
    status: 200,
    headers: {
      'content-type': 'application/xml',
      'x-ms-blob-content-length': String(bytes + VHD_FOOTER_BYTES),
    },
    body: pageListXml(firstRuns(runs, limit)),
  };
}

/** What `x-ms-range` names, whole pages, from the marker on. */
function askedRange(url: URL, headers: IncomingHttpHeaders, length: number): Range {
  const range = parseRange(headerOf(headers, 'x-ms-range') ?? headerOf(headers, 'range'), length);
  if (range === null) throw new StorageError(416, 'InvalidRange');
  const marker = url.searchParams.get('marker');
  const from = marker === null ? range.start : offsetOf(marker);
  if (from === null) throw new StorageError(400, 'InvalidQueryParameterValue', 'marker is not valid.');
  return {
    start: Math.floor(Math.max(from, range.start) / PAGE_BYTES) * PAGE_BYTES,
    end: Math.ceil(range.end / PAGE_BYTES) * PAGE_BYTES,
  };
}

function maxResults(url: URL, most: number): number {
  const text = url.searchParams.get('maxresults');
  if (text === null) return most;
  const asked = Number(text);
  if (Number.isInteger(asked) && asked > 0) return Math.min(asked, most);
  throw new StorageError(400, 'OutOfRangeQueryParameterValue', 'maxresults must be a number above 0.');
}

/** How much of the target's chain the previous snapshot has. */
function layersBefore(simulator: Simulator, target: Disk | Snapshot, previousUrl: string): number {
  if (!URL.canParse(previousUrl)) throw new StorageError(400, 'InvalidHeaderValue');
  const previous = resourceOf(simulator, new URL(previousUrl));
  if (previous === null) throw new StorageError(403, 'AuthenticationFailed');
  if (!isIncremental(target) || !isIncremental(previous)) {
    const text = 'Differential Get Page Ranges is not supported on the previous snapshot.';
    throw new StorageError(409, 'PreviousSnapshotOperationNotSupported', text);
  }
  if (target.facts.familyId !== previous.facts.familyId) {
    const text = 'The blob has been recreated since the previous snapshot was taken.';
    throw new StorageError(409, 'BlobOverwritten', text);
  }
  if (previous.facts.number > target.facts.number) {
    const text =
      'The prevsnapshot query parameter value cannot be newer than snapshot query parameter value.';
    throw new StorageError(400, 'PreviousSnapshotCannotBeNewer', text);
  }
  return previous.facts.layers.length;
}

function isIncremental(resource: Disk | Snapshot): resource is Snapshot {
  return resource.type === 'Microsoft.Compute/snapshots' && resource.facts.incremental;
}
