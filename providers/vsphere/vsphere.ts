/** Entry of this room: vCenters of one process, each with one session. */
import type { VCenterConnection, VCenterSession, VSphere } from '../../domain/ports.ts';
import { VimSession } from './session.ts';
import { fetchCertificate } from './tls.ts';
import { createVCenterSession } from './vcenter-session.ts';

/** The port, and what transports need beside it. */
export interface VSphereClient extends VSphere {
  /** The live session of a connection, for requests to other services of the same host. */
  vimSession(connection: VCenterConnection): VimSession;
}

interface Held {
  readonly session: VimSession;
  readonly port: VCenterSession;
}

export function createVSphere(): VSphereClient {
  const held = new Map<string, Held>();
  const retired: Promise<void>[] = [];

  /** A connection that was registered anew, with another password or certificate, replaces the session. */
  function hold(connection: VCenterConnection): Held {
    const current = held.get(connection.id);
    if (current !== undefined && isSame(current.session.connection, connection)) return current;
    if (current !== undefined) retired.push(current.session.close());
    const session = new VimSession(connection);
    const fresh = { session, port: createVCenterSession(session) };
    held.set(connection.id, fresh);
    return fresh;
  }

  return {
    fetchCertificate,
    session: (connection) => hold(connection).port,
    vimSession: (connection) => hold(connection).session,
    close: async () => {
      const sessions = [...held.values()];
      held.clear();
      await Promise.all([...retired, ...sessions.map(({ session }) => session.close())]);
    },
  };
}

function isSame(a: VCenterConnection, b: VCenterConnection): boolean {
  return (
    a.url === b.url &&
    a.username === b.username &&
    a.password.reveal() === b.password.reveal() &&
    a.certificate.sha256 === b.certificate.sha256
  );
}
