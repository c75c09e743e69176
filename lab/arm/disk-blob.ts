import type { IncomingHttpHeaders } from 'node:http';
import { VHD_FOOTER_BYTES } from '../../domain/units.ts';
import { answerBytes, resourceOf, StorageError } from './disk-access.ts';
import { answerPageRanges } from './disk-ranges.ts';
import type { Answer } from './http.ts';
import type { Disk, Snapshot } from './model.ts';
import type { Simulator } from './simulator.ts';

export function isDiskBlobPath(path: string): boolean {
  return path.startsWith('/md-');
}

/** An exported disk as the storage service shows it to the holder of a live SAS: a read-only page blob. */
export function answerDiskBlob(
  simulator: Simulator,
  method: string,
  url: URL,
  headers: IncomingHttpHeaders,
): Answer {
  try {
    const resource = resourceOf(simulator, url);
    if (resource === null) throw new StorageError(403, 'AuthenticationFailed');
    const answer = answerOf(simulator, resource, { method, url, headers });
    return { ...answer, headers: { ...blobHeaders(resource), ...answer.headers } };
  } catch (error) {
    if (error instanceof StorageError) return error.answer();
    throw error;
  }
}

function answerOf(
  simulator: Simulator,
  resource: Disk | Snapshot,
  request: { readonly method: string; readonly url: URL; readonly headers: IncomingHttpHeaders },
): Answer {
  const { method, url, headers } = request;
  if (method !== 'GET' && method !== 'HEAD') throw new StorageError(403, 'AuthorizationPermissionMismatch');
  const component = url.searchParams.get('comp');
  if (component === 'pagelist' && method === 'GET') {
    return answerPageRanges(simulator, resource, url, headers);
  }
  if (component !== null) throw new StorageError(400, 'InvalidQueryParameterValue');
  if (method === 'GET') return answerBytes(simulator, resource, headers);
  return {
    status: 200,
    headers: { 'content-length': String(resource.facts.bytes + VHD_FOOTER_BYTES) },
  };
}

function blobHeaders({ facts }: Disk | Snapshot): Record<string, string> {
  return {
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    etag: `"${facts.uniqueId}"`,
    'last-modified': new Date(facts.createdAt).toUTCString(),
    'x-ms-blob-type': 'PageBlob',
    'x-ms-version': '2018-03-28',
    'x-ms-blob-sequence-number': '0',
  };
}
