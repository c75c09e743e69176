/**
 * Large payloads travel compressed. Temporal refuses a payload above 2 MiB (docs.temporal.io, "Temporal Cloud limits" and
 * `limit.blobSize.error` of a server of one's own); what runs of plans are given and leave is JSON of a kilobyte or two a
 * machine, which shrinks to about a tenth. Small payloads stay readable in Temporal's own page.
 */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { ValueError, type Payload, type PayloadCodec } from '@temporalio/common';
import { KiB, MiB } from '../domain/units.ts';

const FROM_BYTES = 64 * KiB;
/** More than anything of ours; a payload that unfolds beyond is not believed. */
const UNFOLDED_BYTES_MAX = 256 * MiB;
const GZIP = 'binary/gzip';
/** Where the encoding of the payload inside is kept. */
const INNER = 'switchback-encoding';

const compress = promisify(gzip);
const expand = promisify(gunzip);

export const payloadCodec: PayloadCodec = {
  encode: (payloads) => Promise.all(payloads.map(encode)),
  decode: (payloads) => Promise.all(payloads.map(decode)),
};

async function encode(payload: Payload): Promise<Payload> {
  const { data, metadata } = payload;
  if (data == null || data.length < FROM_BYTES) return payload;
  const { encoding, ...rest } = metadata ?? {};
  return {
    metadata: {
      ...rest,
      encoding: Buffer.from(GZIP),
      ...(encoding === undefined ? {} : { [INNER]: encoding }),
    },
    data: await compress(data),
  };
}

async function decode(payload: Payload): Promise<Payload> {
  const { data, metadata } = payload;
  const { encoding, [INNER]: inner, ...rest } = metadata ?? {};
  if (data == null || encoding === undefined || Buffer.from(encoding).toString() !== GZIP) return payload;
  try {
    const unfolded = await expand(data, { maxOutputLength: UNFOLDED_BYTES_MAX });
    return { metadata: { ...rest, ...(inner === undefined ? {} : { encoding: inner }) }, data: unfolded };
  } catch (error) {
    throw new ValueError(`a payload of ${data.length} bytes does not unfold: ${(error as Error).message}`);
  }
}
