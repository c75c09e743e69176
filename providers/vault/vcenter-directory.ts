/** `VCenterDirectory`: one blob per vCenter, its password sealed with the vault's key. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { DrError } from '../../domain/errors.ts';
import { asId } from '../../domain/ids.ts';
import type { VCenterId } from '../../domain/ids.ts';
import { blobNames } from '../../domain/names.ts';
import { Secret } from '../../domain/ports.ts';
import type { VaultKey, VaultStorage, VCenterConnection, VCenterDirectory } from '../../domain/ports.ts';

const recordSchema = z.strictObject({
  version: z.literal(1),
  id: z.string().regex(/^[a-z0-9-]{1,40}$/),
  url: z.string().regex(/^https:\/\/[^/]+$/),
  username: z.string().min(1),
  certificate: z.strictObject({
    sha256: z.string().regex(/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/),
    pem: z.string().min(1),
  }),
  sealedPassword: z.base64(),
});

type VCenterRecord = z.infer<typeof recordSchema>;

export function createVCenterDirectory(storage: VaultStorage, vaultKey: VaultKey): VCenterDirectory {
  return {
    async save(connection) {
      const { id, url, username, certificate } = connection;
      const open = { version: 1 as const, id, url, username, certificate: pick(certificate) };
      const plain = Buffer.from(connection.password.reveal(), 'utf8');
      const sealed = await vaultKey.seal(plain, contextOf(open));
      const record: VCenterRecord = { ...open, sealedPassword: Buffer.from(sealed).toString('base64') };
      await storage.put(blobNames.vcenter(id), Buffer.from(JSON.stringify(record, null, 2)));
    },
    async load(id) {
      const name = blobNames.vcenter(id);
      const blob = await storage.get(name);
      if (blob === null) throw new DrError('DR_VCENTER_UNKNOWN', { vcenter: id });
      const record = parse(name, id, blob.body);
      const plain = await vaultKey.open(Buffer.from(record.sealedPassword, 'base64'), contextOf(record));
      return connectionOf(record, new Secret(Buffer.from(plain).toString('utf8')));
    },
    remove: (id) => storage.delete(blobNames.vcenter(id)),
  };
}

function pick(certificate: VCenterConnection['certificate']): VCenterConnection['certificate'] {
  return { sha256: certificate.sha256, pem: certificate.pem };
}

/** Binds the password to the very host and certificate it was given for: changing the blob cannot redirect it. */
function contextOf(record: Omit<VCenterRecord, 'sealedPassword'>): string {
  const { id, url, username, certificate } = record;
  const facts = JSON.stringify([id, url, username, certificate.sha256, certificate.pem]);
  return `vcenter/${id}/${createHash('sha256').update(facts).digest('hex')}`;
}

function parse(name: string, id: VCenterId, body: Uint8Array): VCenterRecord {
  const parsed = recordSchema.safeParse(jsonOrNull(body));
  if (parsed.success && parsed.data.id === id) return parsed.data;
  const reason = parsed.success ? `it describes ${parsed.data.id}` : z.prettifyError(parsed.error);
  throw new DrError('DR_INTERNAL', { reason: `blob ${name} is not valid: ${reason}` });
}

function jsonOrNull(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return null;
  }
}

function connectionOf(record: VCenterRecord, password: Secret): VCenterConnection {
  const { url, username, certificate } = record;
  return { id: asId<VCenterId>(record.id), url, username, password, certificate };
}
