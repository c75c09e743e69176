/** What goes along with a body, so that the service refuses at once what was mangled on the way. */
import { createHash } from 'node:crypto';
import { crc64 } from './crc64.ts';

/** Azure takes both; `none` is for services that compare neither. docs/decisions/0006 says why there is a choice. */
export const transferChecksums = ['crc64', 'md5', 'none'] as const;
export type TransferChecksum = (typeof transferChecksums)[number];

interface ChecksumOptions {
  readonly transactionalContentMD5?: Uint8Array;
  readonly transactionalContentCrc64?: Uint8Array;
}

const optionsFor: Readonly<Record<TransferChecksum, (body: Uint8Array) => ChecksumOptions>> = {
  crc64: (body) => ({ transactionalContentCrc64: crc64(body) }),
  md5: (body) => ({ transactionalContentMD5: createHash('md5').update(body).digest() }),
  none: () => ({}),
};

export function checksumOptions(kind: TransferChecksum, body: Uint8Array): ChecksumOptions {
  return optionsFor[kind](body);
}
