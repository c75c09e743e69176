/** TLS to one vCenter: trust is the pinned leaf certificate and nothing else. */
import { Agent } from 'node:https';
import type { ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { DrError } from '../../domain/errors.ts';
import type { PeerCertificate, VCenterConnection } from '../../domain/ports.ts';

const CONNECT_SECONDS_MAX = 10;
const CONNECTIONS_MAX = 32;

interface Peer {
  readonly host: string;
  readonly port: number;
}

/**
 * Opens connections that are handed out only after the peer has shown the pinned leaf: until then not a byte
 * of a request is written. Expiry, names and chains do not count; the fingerprint does.
 */
export class PinnedAgent extends Agent {
  readonly #connection: Pick<VCenterConnection, 'url' | 'certificate'>;

  constructor(connection: Pick<VCenterConnection, 'url' | 'certificate'>) {
    super({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
    this.#connection = connection;
  }

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const peer = { host: options.host ?? 'localhost', port: Number(options.port ?? 443) };
    const answer = callback as ((error: Error | null, stream?: Duplex) => void) | undefined;
    openVerified(peer, this.#connection).then(
      (socket) => answer?.(null, socket),
      (error: unknown) => answer?.(error as Error),
    );
  }
}

async function openVerified(
  peer: Peer,
  { url, certificate }: Pick<VCenterConnection, 'url' | 'certificate'>,
): Promise<TLSSocket> {
  const socket = await openUnverified(peer);
  const actual = socket.getPeerX509Certificate()?.fingerprint256 ?? 'none';
  if (actual === certificate.sha256) return socket;
  socket.destroy();
  throw new DrError('DR_VCENTER_CERTIFICATE_CHANGED', { url, actual, pinned: certificate.sha256 });
}

/** Shows what the peer presents, trusting nothing and sending nothing. */
export async function fetchCertificate(url: string, signal?: AbortSignal): Promise<PeerCertificate> {
  const { hostname, port } = new URL(url);
  const peer = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443) };
  const socket = await openUnverified(peer, signal).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw unreachable(url, error);
  });
  const shown = socket.getPeerX509Certificate();
  socket.destroy();
  if (shown === undefined) throw unreachable(url, new Error('no certificate was shown'));
  return {
    sha256: shown.fingerprint256,
    subject: shown.subject ?? '',
    notAfter: new Date(shown.validTo).toISOString(),
    pem: shown.toString(),
  };
}

function openUnverified({ host, port }: Peer, signal?: AbortSignal): Promise<TLSSocket> {
  const deadline = AbortSignal.timeout(CONNECT_SECONDS_MAX * 1000);
  const abort = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false, ...serverName(host) });
    const onAbort = () => socket.destroy(new Error(`no answer within ${CONNECT_SECONDS_MAX} s`));
    const settle = (end: () => void) => {
      abort.removeEventListener('abort', onAbort);
      end();
    };
    const onError = (error: Error) => settle(() => reject(error));
    socket.once('error', onError);
    socket.once('secureConnect', () =>
      settle(() => {
        socket.removeListener('error', onError);
        resolve(socket);
      }),
    );
    abort.addEventListener('abort', onAbort, { once: true });
    if (abort.aborted) onAbort();
  });
}

/** Server Name Indication carries names only, never addresses (RFC 6066, section 3). */
function serverName(host: string): { readonly servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}

/** Keeps the system's code, drops the rest: errors of HTTP libraries carry request bodies and cookies. */
export function unreachable(url: string, error: unknown): DrError {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  const reason = code ?? message ?? 'the connection failed';
  return new DrError('DR_VCENTER_UNREACHABLE', { url, reason }, { cause: new Error(reason) });
}
