import 'reflect-metadata';
import { webcrypto, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { writeDurably } from './store.ts';

const DAY_MS = 24 * 3_600_000;
const VALID_DAYS = 365;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface TlsFiles {
  readonly caFile: string;
  readonly key: string;
  readonly cert: string;
}

/** The simulator's own certificate authority and a leaf for 127.0.0.1 and localhost; renewed when nearly expired. */
export async function loadTls(stateDir: string): Promise<TlsFiles> {
  const caFile = join(stateDir, 'ca.pem');
  const keyFile = join(stateDir, 'tls-key.pem');
  const certFile = join(stateDir, 'tls.pem');
  if (!isUsable(certFile) || !existsSync(keyFile)) {
    const made = await issue();
    writeDurably(keyFile, made.key);
    writeDurably(caFile, made.ca, 0o644);
    writeDurably(certFile, made.cert, 0o644);
  }
  return { caFile, key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') };
}

function isUsable(certFile: string): boolean {
  if (!existsSync(certFile)) return false;
  const certificate = new X509Certificate(readFileSync(certFile));
  return Date.parse(certificate.validTo) - Date.now() > DAY_MS;
}

async function issue(): Promise<{ ca: string; cert: string; key: string }> {
  x509.cryptoProvider.set(webcrypto);
  const { subtle } = webcrypto;
  const authorityKeys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const leafKeys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notBefore = new Date(Date.now() - DAY_MS);
  const notAfter = new Date(Date.now() + VALID_DAYS * DAY_MS);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Switchback lab, Azure simulator CA',
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys: authorityKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    subject: 'CN=127.0.0.1',
    issuer: authority.subject,
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    publicKey: leafKeys.publicKey,
    signingKey: authorityKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'localhost' },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const pkcs8 = await subtle.exportKey('pkcs8', leafKeys.privateKey);
  return {
    ca: authority.toString('pem'),
    cert: leaf.toString('pem'),
    key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
  };
}
