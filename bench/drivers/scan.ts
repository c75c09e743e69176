/** The verification's way through a disk: every block of the source is hashed. */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { compareBlockBytes, hashBlocks } from '../../dataplane/compare/block-hashes.ts';
import { digestBlocks, digestKey } from '../../dataplane/compare/block-digest.ts';
import { openNbdSource } from '../../dataplane/source/nbd-source.ts';
import { measured, serve, type Measured } from './serve.ts';

export interface Scanned extends Measured {
  readonly blockBytes: number;
  /** SHA-256 of all digests. */
  readonly sha256: string;
}

export interface ScanCalls {
  scan(input: { readonly socketPath: string; readonly capacityBytes: number }): Promise<Scanned>;
  /** What `scan` must answer: the same digests of bytes that came straight from the file, in order, in one thread. */
  expect(input: {
    readonly file: string;
    readonly capacityBytes: number;
    readonly blockBytes: number;
  }): Promise<string>;
}

const PIECE_BLOCKS = 64;
const key = randomBytes(32);
const never = new AbortController().signal;

const calls: ScanCalls = {
  async scan({ socketPath, capacityBytes }) {
    const blockBytes = compareBlockBytes(capacityBytes);
    const { result, ...times } = await measured(async () => {
      const disk = { host: '', port: 0, socketPath, exportName: '', close: async () => undefined };
      const source = await openNbdSource(disk, never);
      try {
        const options = { key, blockBytes, capacityBytes, signal: never, onProgress: () => undefined };
        return await hashBlocks(source, options);
      } finally {
        await source.close();
      }
    });
    const sha256 = createHash('sha256').update(result.digests).digest('hex');
    return { ...times, blockBytes, sha256 };
  },
  async expect({ file, capacityBytes, blockBytes }) {
    const digests = createHash('sha256');
    const piece = Buffer.alloc(PIECE_BLOCKS * blockBytes);
    const descriptor = openSync(file, 'r');
    try {
      for (let at = 0; at < capacityBytes; at += piece.length) {
        const length = readSync(descriptor, piece, 0, Math.min(piece.length, capacityBytes - at), at);
        digests.update(digestBlocks(piece.subarray(0, length), blockBytes, digestKey(key)));
      }
    } finally {
      closeSync(descriptor);
    }
    return digests.digest('hex');
  },
};

await serve({ ...calls });
