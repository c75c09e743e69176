/**
 * Reads an exported snapshot over HTTPS: Range GET and Get Page Ranges of the fixed VHD that its SAS address names.
 * Plain HTTP/1.1 with kept connections: `fetch` and HTTP/2 move bulk data several times slower.
 */
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { DrError } from '../../../domain/errors.ts';
import type { Secret } from '../../../domain/ports.ts';
import type { Extent } from '../../../domain/replication.ts';
import { MiB } from '../../../domain/units.ts';
import { DeadlineError, withDeadline } from '../deadline.ts';
import { RETRIES_MAX, RETRY_DELAY_MS } from './clients.ts';
import type { Clients } from './clients.ts';
import { failureError } from './errors.ts';
import { parsePageList } from './page-list.ts';
import type { PageList } from './page-list.ts';
import { nameOf } from './resource-id.ts';
import type { Grant } from './snapshot-access.ts';

export interface SnapshotBlob {
  /** Fills `into` from `offset`; at most 4 MiB keep one request short. */
  read(offset: number, into: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Ranges with data, or with `since` what differs from it; `marker` of the list before asks for the rest. */
  pageList(
    range: Extent,
    options: { readonly since: Grant | null; readonly marker: string | null },
    signal: AbortSignal,
  ): Promise<PageList>;
  /** Requests under way fail. */
  destroy(): Promise<void>;
}

/** First version that answers in pages and knows `x-ms-previous-snapshot-url`. */
const SERVICE_VERSION = '2020-10-02';
/** Of one snapshot: one source reads no more at once. */
const CONNECTIONS = 16;
const DEADLINE_MS = 60_000;
/** A line slower than 64 KB/s is treated as dead. */
const SLOWEST_BYTES_PER_MS = 64;
/** 10,000 ranges are about 1 MiB. */
const LIST_BYTES_MAX = 32 * MiB;
const PASSING_STATUSES: readonly number[] = [408, 429, 500, 502, 503, 504];
const UNRELATED_CODES: readonly string[] = [
  'BlobOverwritten',
  'PreviousSnapshotCannotBeNewer',
  'PreviousSnapshotNotFound',
  'PreviousSnapshotOperationNotSupported',
];

interface Query {
  readonly search: string;
  readonly range: Extent;
  readonly since: Grant | null;
  /** Bytes that are expected, for the deadline. */
  readonly bytes: number;
  readonly attempted: string;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable & { dump(): Promise<void> };
}

/** An answer that is none; `isPassing`: the same request may do better. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.code = code;
  }

  get isPassing(): boolean {
    return this.status === 0 || PASSING_STATUSES.includes(this.status);
  }
}

export function openSnapshotBlob(clients: Clients, snapshotId: string, grant: Grant): SnapshotBlob {
  const { tlsCa } = clients;
  const agent = new Agent({
    connections: CONNECTIONS,
    allowH2: false,
    ...(tlsCa === undefined ? {} : { connect: { ca: tlsCa } }),
  });
  const name = nameOf(snapshotId);

  async function ask<T>(query: Query, signal: AbortSignal, take: (reply: Reply) => Promise<T>): Promise<T> {
    const grants = query.since === null ? [grant] : [grant, query.since];
    let addresses = await Promise.all(grants.map((each) => each.address(signal)));
    let isRenewed = false;
    for (let retries = 0; ;) {
      try {
        return await askOnce(agent, query, addresses, signal, take);
      } catch (error) {
        signal.throwIfAborted();
        const refusal = refusalOf(error);
        if (refusal === null) throw error;
        if (refusal.status === 403 && !isRenewed) {
          isRenewed = true;
          const refused = addresses;
          addresses = await Promise.all(grants.map((each, index) => renewedOf(each, refused[index], signal)));
        } else if (refusal.isPassing && retries < RETRIES_MAX) {
          await sleep(RETRY_DELAY_MS * 2 ** retries, undefined, { signal });
          retries += 1;
        } else {
          throw errorOf(name, query, refusal);
        }
      }
    }
  }

  return {
    read: (offset, into, signal) => {
      const range = { offset, length: into.byteLength };
      const attempted = `read snapshot ${name}`;
      const query = { search: '', range, since: null, bytes: into.byteLength, attempted };
      return ask(query, signal, (reply) => takeBytes(reply, range, into));
    },
    pageList: (range, { since, marker }, signal) => {
      const more = marker === null ? '' : `&marker=${encodeURIComponent(marker)}`;
      const attempted =
        since === null ? `list the data of snapshot ${name}` : `list the changes of snapshot ${name}`;
      return ask({ search: `&comp=pagelist${more}`, range, since, bytes: 0, attempted }, signal, takeList);
    },
    destroy: () => agent.destroy(),
  };
}

function renewedOf(grant: Grant, refused: Secret | undefined, signal: AbortSignal): Promise<Secret> {
  return refused === undefined ? grant.address(signal) : grant.renewed(refused, signal);
}

async function askOnce<T>(
  agent: Agent,
  { search, range, bytes }: Query,
  [address, previous]: readonly Secret[],
  signal: AbortSignal,
  take: (reply: Reply) => Promise<T>,
): Promise<T> {
  return withDeadline(DEADLINE_MS + bytes / SLOWEST_BYTES_PER_MS, signal, async (within) => {
    const { statusCode, headers, body } = await request(`${address?.reveal() ?? ''}${search}`, {
      dispatcher: agent,
      signal: within,
      headers: {
        'x-ms-version': SERVICE_VERSION,
        'x-ms-range': `bytes=${range.offset}-${range.offset + range.length - 1}`,
        ...(previous === undefined ? {} : { 'x-ms-previous-snapshot-url': previous.reveal() }),
      },
    });
    if (statusCode >= 300) {
      await body.dump();
      const code = headers['x-ms-error-code'];
      const serviceCode = typeof code === 'string' ? code : `HTTP${statusCode}`;
      throw new Refusal(statusCode, serviceCode, 'the storage service refused the request');
    }
    return take({ status: statusCode, headers, body });
  });
}

async function takeBytes(reply: Reply, range: Extent, into: Uint8Array): Promise<void> {
  const expected = `bytes ${range.offset}-${range.offset + range.length - 1}/`;
  const given = reply.headers['content-range'];
  if (reply.status !== 206 || typeof given !== 'string' || !given.startsWith(expected)) {
    await reply.body.dump();
    throw new Refusal(0, 'WrongRange', 'the answer is not the range that was asked for');
  }
  const { body } = reply;
  const wrongLength = () => new Refusal(0, 'WrongLength', 'the answer has another length');
  let at = 0;
  await eachChunk(body, (chunk) => {
    if (at + chunk.length > into.byteLength) return body.destroy(wrongLength());
    into.set(chunk, at);
    return (at += chunk.length);
  });
  if (at !== into.byteLength) throw wrongLength();
}

/** As events: a promise for each of the 16 KiB that TLS hands over costs as much as the decryption. */
function eachChunk(body: Readable, take: (chunk: Buffer) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    body.on('data', take);
    body.once('end', resolve);
    body.once('error', reject);
  });
}

async function takeList(reply: Reply): Promise<PageList> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of reply.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LIST_BYTES_MAX) throw new Refusal(200, 'ListTooLong', 'the list of ranges is too long');
    chunks.push(chunk);
  }
  const list = parsePageList(Buffer.concat(chunks).toString('utf8'));
  if (list === null) throw new Refusal(0, 'WrongList', 'the list of ranges is not whole');
  return list;
}

/** Null: a bug, or an error of the catalogue already. Network errors name hosts, never the address itself. */
function refusalOf(error: unknown): Refusal | null {
  if (error instanceof Refusal) return error;
  if (error instanceof DrError || !(error instanceof Error)) return null;
  if (error instanceof DeadlineError) return new Refusal(0, 'Timeout', error.message, { cause: error });
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? new Refusal(0, code, error.message, { cause: error }) : null;
}

function errorOf(name: string, query: Query, refusal: Refusal): DrError {
  if (query.since !== null && UNRELATED_CODES.includes(refusal.code)) {
    return new DrError(
      'DR_AZURE_SNAPSHOT_UNRELATED',
      { snapshot: name, previous: query.since.name },
      { cause: refusal },
    );
  }
  const { status, code, message } = refusal;
  return failureError({ attempted: query.attempted }, { status, code, message }, refusal);
}
