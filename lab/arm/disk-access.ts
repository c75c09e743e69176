import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { VHD_FOOTER_BYTES } from '../../domain/units.ts';
import type { Answer } from './http.ts';
import type { Disk, Snapshot } from './model.ts';
import type { Range } from './range.ts';
import { hasAccess } from './resources/sharing.ts';
import type { Simulator } from './simulator.ts';
import { makeFooter } from './vhd.ts';

/** The bytes of an exported disk as a fixed VHD, whole or one range. */
export function answerBytes(
  simulator: Simulator,
  resource: Disk | Snapshot,
  headers: IncomingHttpHeaders,
): Answer {
  const length = resource.facts.bytes + VHD_FOOTER_BYTES;
  const asked = headerOf(headers, 'x-ms-range') ?? headerOf(headers, 'range');
  const range = parseRange(asked, length);
  if (range === null) throw new StorageError(416, 'InvalidRange');
  const isPart = asked !== undefined;
  return {
    status: isPart ? 206 : 200,
    headers: {
      'content-length': String(range.end - range.start),
      ...(isPart ? { 'content-range': `bytes ${range.start}-${range.end - 1}/${length}` } : {}),
    },
    body: Readable.from(vhdBytes(simulator, resource, range)),
  };
}

async function* vhdBytes(
  simulator: Simulator,
  { facts }: Disk | Snapshot,
  range: Range,
): AsyncGenerator<Buffer> {
  const end = Math.min(range.end, facts.bytes);
  yield* simulator.bytes.read(facts.layers, { start: range.start, end });
  if (range.end <= facts.bytes) return;
  const footer = makeFooter(facts.bytes, facts.uniqueId);
  yield footer.subarray(Math.max(0, range.start - facts.bytes), range.end - facts.bytes);
}

/** The disk or snapshot whose live SAS this is; null: none. */
export function resourceOf(simulator: Simulator, url: URL): Disk | Snapshot | null {
  const token = url.pathname.split('/')[1];
  const found = [
    ...simulator.store.ofType('Microsoft.Compute/disks'),
    ...simulator.store.ofType('Microsoft.Compute/snapshots'),
  ].find(({ facts }) => facts.access?.token === token);
  if (found === undefined || !hasAccess(found.facts)) return null;
  return url.searchParams.get('sig') === found.facts.access?.signature ? found : null;
}

/** `bytes=a-b` or `bytes=a-`; absent: everything. Null: none of it lies in the blob. */
export function parseRange(text: string | undefined, length: number): Range | null {
  if (text === undefined) return { start: 0, end: length };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(text) ?? [];
  if (from === undefined) return null;
  const start = Number(from);
  const end = Math.min(length, to === undefined || to === '' ? length : Number(to) + 1);
  return start < end ? { start, end } : null;
}

export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** A refusal in the storage service's form. */
export class StorageError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string = code) {
    super(message);
    this.name = 'StorageError';
    this.status = status;
    this.code = code;
  }

  answer(): Answer {
    const { code, message } = this;
    return {
      status: this.status,
      headers: { 'content-type': 'application/xml', 'x-ms-error-code': code },
      body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    };
  }
}
