import { once } from 'node:events';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { closing, look, type Look } from './look.ts';

export interface CertificateTarget {
  readonly address: string;
  readonly port: number;
  /** Sent as SNI; the certificate must be for it. */
  readonly serverName: string;
  /** It must stay valid that long. */
  readonly validDays: number;
}

const DAY_MS = 86_400_000;

/** Holds when the certificate that the port shows is for the name and valid long enough; whether its chain is trusted is told. */
export function lookCertificate(target: CertificateTarget, signal: AbortSignal): Promise<Look> {
  const { address, port, serverName, validDays } = target;
  return look(signal, async (signal) => {
    const isAddress = isIP(serverName) !== 0;
    const socket = connect({
      host: address,
      port,
      rejectUnauthorized: false,
      ...(isAddress ? {} : { servername: serverName }),
    });
    const certificate = async () => {
      await once(socket, 'secureConnect');
      return { shown: socket.getPeerX509Certificate(), isTrusted: socket.authorized };
    };
    const { shown, isTrusted } = await closing(signal, () => socket.destroy(), certificate());
    if (shown === undefined) return { holds: false, saw: 'no certificate was shown', observed: {} };
    const isForName = (isAddress ? shown.checkIP(serverName) : shown.checkHost(serverName)) !== undefined;
    const now = Date.now();
    const daysLeft = Math.floor((shown.validToDate.getTime() - now) / DAY_MS);
    const problems = [
      ...(isForName ? [] : [`it is not for ${serverName}`]),
      ...(shown.validFromDate.getTime() > now ? ['it is not valid yet'] : []),
      ...(shown.validToDate.getTime() <= now ? ['it has expired'] : []),
      ...(daysLeft < validDays ? [`${daysLeft} days are left, ${validDays} are wanted`] : []),
    ];
    const until = shown.validToDate.toISOString();
    const known = `certificate valid until ${until}, chain ${isTrusted ? 'trusted' : 'not trusted'} here`;
    return {
      holds: problems.length === 0,
      saw: problems.length === 0 ? known : `${known}: ${problems.join(', ')}`,
      observed: {
        subject: shown.subject ?? '',
        issuer: shown.issuer ?? '',
        validUntil: until,
        daysLeft,
        fingerprint256: shown.fingerprint256,
        chainTrusted: isTrusted,
      },
    };
  });
}
