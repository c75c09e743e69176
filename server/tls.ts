/**
 * The configuration server's own authority and certificate, in `<dataDir>/tls`. Clients pin `authority.pem`;
 * the leaf is made anew at start when it is near its end or names other hosts.
 */
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces, hostname } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
const LEAF_DAYS = 365;
const RENEW_BEFORE_DAYS = 60;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface ServerTls {
  /** PEM to hand out to clients. */
  readonly authority: string;
  readonly cert: string;
  readonly key: string;
}

export interface TlsOptions {
  /** `<dataDir>/tls` */
  readonly folder: string;
  /** Names and addresses that clients may use. */
  readonly hosts: readonly string[];
  readonly now?: Date;
}

/** Makes what is missing or near its end; what is there and good is kept, so that pinned clients go on. */
export async function ensureServerTls(options: TlsOptions): Promise<ServerTls> {
  const now = options.now ?? new Date();
  x509.cryptoProvider.set(webcrypto);
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const files = new TlsFiles(options.folder);
  const authority =
    (await files.read('authority')) ?? (await files.write('authority', await makeAuthority(now)));
  const kept = await files.read('server');
  const leaf =
    kept !== undefined && (await isGood(kept, authority, options.hosts, now))
      ? kept
      : await files.write('server', await makeLeaf(authority, options.hosts, now));
  return { authority: authority.certificate, cert: leaf.certificate + authority.certificate, key: leaf.key };
}

/** Where clients may reach a server that listens on `host`; every local address for a wildcard. */
export function reachableHosts(host: string, publicUrl?: string): string[] {
  const wildcard = host === '0.0.0.0' || host === '::';
  const local = Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map((one) => one.address));
  return [
    ...new Set([
      'localhost',
      '127.0.0.1',
      '::1',
      ...(wildcard ? [hostname(), ...local.filter((address) => !address.includes('%'))] : [host]),
      ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname.replaceAll(/^\[|\]$/g, '')]),
    ]),
  ];
}

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

class TlsFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(name: string): Promise<Pair | undefined> {
    try {
      const [certificate, key] = await Promise.all([
        readFile(this.#path(`${name}.pem`), 'utf8'),
        readFile(this.#path(`${name}.key`), 'utf8'),
      ]);
      return { certificate, key };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The certificate last: a pair that is half there counts as absent. */
  async write(name: string, pair: Pair): Promise<Pair> {
    await this.#replace(`${name}.key`, pair.key, 0o600);
    await this.#replace(`${name}.pem`, pair.certificate, 0o644);
    return pair;
  }

  async #replace(name: string, content: string, mode: number): Promise<void> {
    const half = this.#path(`${name}.half`);
    await writeFile(half, content, { mode });
    await chmod(half, mode);
    await rename(half, this.#path(name));
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

async function makeAuthority(now: Date): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Switchback configuration server authority',
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pairOf(certificate, keys.privateKey);
}

async function makeLeaf(authority: Pair, hosts: readonly string[], now: Date): Promise<Pair> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=Switchback configuration server',
    issuer: issuer.subject,
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + LEAF_DAYS * DAY_MS),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await privateKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map(generalName)),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return pairOf(certificate, keys.privateKey);
}

async function isGood(leaf: Pair, authority: Pair, hosts: readonly string[], now: Date): Promise<boolean> {
  const certificate = new x509.X509Certificate(leaf.certificate);
  const renewAt = certificate.notAfter.getTime() - RENEW_BEFORE_DAYS * DAY_MS;
  if (now.getTime() > renewAt || now < certificate.notBefore) return false;
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  const named = new Set(names.map((name) => name.value));
  const signedBy = new x509.X509Certificate(authority.certificate).publicKey;
  return (
    hosts.every((host) => named.has(host)) &&
    (await certificate.verify({ publicKey: signedBy, signatureOnly: true }))
  );
}

function generalName(host: string): x509.JsonGeneralName {
  return { type: isIP(host) === 0 ? 'dns' : 'ip', value: host };
}

/** Positive and 16 bytes long, as RFC 5280 wants it unique and at most 20. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('hex');
}

async function pairOf(certificate: x509.X509Certificate, key: CryptoKey): Promise<Pair> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  };
}

function privateKey(pem: string): Promise<CryptoKey> {
  const [pkcs8] = x509.PemConverter.decode(pem);
  if (pkcs8 === undefined) throw new Error('the key of the authority holds no PEM block');
  return webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
}
