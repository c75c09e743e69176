/**
 * Asks an NBD server once for its export of the empty name and leaves again: a server that opens its disk only then
 * (nbdkit) opens it now. Fixed newstyle handshake: github.com/NetworkBlockDevice/nbd, doc/proto.md.
 */
import { connect } from 'node:net';

const OPTION_MAGIC = Buffer.from('IHAVEOPT');
const GREETING_BYTES = 18;
const FLAGS_FIXED_NEWSTYLE_NO_ZEROES = 3;
const OPTION_GO = 7;
const REPLY_HEADER_BYTES = 20;
const REPLY_ACK = 1;
const REPLY_ERROR = 0x8000_0000;
/** Replies before the last one say how large the export is; there are few. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** True when the server has opened the export, false when it refused or hung up. Ends with the signal's reason. */
export function opensExport(socketPath: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath });
    let received = Buffer.alloc(0);
    let isGreeted = false;
    const end = (outcome: () => void) => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      outcome();
    };
    const abort = () => end(() => reject(signal.reason as Error));
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (!isGreeted && received.length >= GREETING_BYTES) {
        isGreeted = true;
        received = received.subarray(GREETING_BYTES);
        socket.write(goRequest());
      }
      const answer = isGreeted ? readAnswer(received) : undefined;
      if (answer !== undefined) end(() => resolve(answer));
      else if (received.length > ANSWER_BYTES_MAX) end(() => resolve(false));
    });
    socket.once('error', () => end(() => resolve(false)));
    socket.once('close', () => end(() => resolve(false)));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/** Client flags, then `NBD_OPT_GO` for the empty name without information requests. */
function goRequest(): Buffer {
  const request = Buffer.alloc(4 + 16 + 6);
  request.writeUInt32BE(FLAGS_FIXED_NEWSTYLE_NO_ZEROES, 0);
  OPTION_MAGIC.copy(request, 4);
  request.writeUInt32BE(OPTION_GO, 12);
  request.writeUInt32BE(6, 16);
  return request;
}

/** Reads replies until one decides; undefined while it has not come. */
function readAnswer(received: Buffer): boolean | undefined {
  let at = 0;
  while (received.length >= at + REPLY_HEADER_BYTES) {
    const type = received.readUInt32BE(at + 12);
    if (type === REPLY_ACK) return true;
    if (type >= REPLY_ERROR) return false;
    at += REPLY_HEADER_BYTES + received.readUInt32BE(at + 16);
  }
  return undefined;
}
