import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Answer } from './http.ts';
import type { Disk, Snapshot } from './model.ts';
import { hasAccess } from './resources/disks.ts';
import type { Simulator } from './simulator.ts';
import { makeFooter } from './vhd.ts';
import { VHD_FOOTER_BYTES } from '../../domain/units.ts';

export function isDiskAccessPath(path: string): boolean {
  return path.startsWith('/md-');
}

/** HEAD and (range) GET of an exported disk: its bytes as a fixed VHD, for the holder of a live SAS. */
export function answerDiskAccess(
  simulator: Simulator,
  method: string,
  url: URL,
  headers: IncomingHttpHeaders,
): Answer {
  const resource = resourceOf(simulator, url);
  if (resource === null) return storageError(403, 'AuthenticationFailed');
  if (method !== 'GET' && method !== 'HEAD') return storageError(403, 'AuthorizationPermissionMismatch');
  if (url.searchParams.has('comp')) return storageError(400, 'InvalidQueryParameterValue');
  const { bytes, uniqueId, createdAt } = resource.facts;
  const length = bytes + VHD_FOOTER_BYTES;
  const blobHeaders = {
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    etag: `"${uniqueId}"`,
    'last-modified': new Date(createdAt).toUTCString(),
    'x-ms-blob-type': 'PageBlob',
    'x-ms-version': '2018-03-28',
    'x-ms-blob-sequence-number': '0',
  };
  if (method === 'HEAD')
    return { status: 200, headers: { ...blobHeaders, 'content-length': String(length) } };
  const asked = headers['x-ms-range'] ?? headers.range;
  const range = parseRange(Array.isArray(asked) ? asked[0] : asked, length);
  if (range === null) return storageError(416, 'InvalidRange');
  const isPart = asked !== undefined;
  return {
    status: isPart ? 206 : 200,
    headers: {
      ...blobHeaders,
      'content-length': String(range.end - range.start),
      ...(isPart ? { 'content-range': `bytes ${range.start}-${range.end - 1}/${length}` } : {}),
    },
    body: Readable.from(vhdBytes(simulator, resource, range)),
  };
}

async function* vhdBytes(
  simulator: Simulator,
  { facts }: Disk | Snapshot,
  range: { start: number; end: number },
): AsyncGenerator<Buffer> {
  const end = Math.min(range.end, facts.bytes);
  if (facts.bytesId !== null) yield* simulator.bytes.read(facts.bytesId, { start: range.start, end });
  if (range.end <= facts.bytes) return;
  const footer = makeFooter(facts.bytes, facts.uniqueId);
  yield footer.subarray(Math.max(0, range.start - facts.bytes), range.end - facts.bytes);
}

function resourceOf(simulator: Simulator, url: URL): Disk | Snapshot | null {
  const token = url.pathname.split('/')[1];
  const found = [
    ...simulator.store.ofType('Microsoft.Compute/disks'),
    ...simulator.store.ofType('Microsoft.Compute/snapshots'),
  ].find(({ facts }) => facts.access?.token === token);
  if (found === undefined || !hasAccess(found.facts)) return null;
  return url.searchParams.get('sig') === found.facts.access?.signature ? found : null;
}

/** `bytes=a-b` or `bytes=a-`; absent: everything. Null: none of it lies in the blob. */
export function parseRange(text: string | undefined, length: number): { start: number; end: number } | null {
  if (text === undefined) return { start: 0, end: length };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(text) ?? [];
  if (from === undefined) return null;
  const start = Number(from);
  const end = Math.min(length, to === undefined || to === '' ? length : Number(to) + 1);
  return start < end ? { start, end } : null;
}

function storageError(status: number, code: string): Answer {
  return {
    status,
    headers: { 'content-type': 'application/xml', 'x-ms-error-code': code },
    body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  };
}
