/** Runs in a thread: one SHA-256 over all parts it is sent, in their order. */
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/** A part of the stream: bytes at the beginning of `body`, or zeros. */
export interface HashPart {
  readonly body: SharedArrayBuffer | null;
  readonly bytes: number;
}

const ZEROS = Buffer.alloc(2 ** 20);
const hash = createHash('sha256');

/** Answers each part when its memory is free again, and `null`, which ends the stream, with the hash. */
parentPort?.on('message', (part: HashPart | null) => {
  if (part === null) {
    parentPort?.postMessage(hash.digest('hex'));
    return;
  }
  if (part.body === null) hashZeros(part.bytes);
  else hash.update(Buffer.from(part.body, 0, part.bytes));
  parentPort?.postMessage(null);
});

function hashZeros(bytes: number): void {
  for (let left = bytes; left > 0; left -= ZEROS.length) {
    hash.update(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
  }
}
