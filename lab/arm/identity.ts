import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from './store.ts';

const identitySchema = z.object({
  subscriptionId: z.string(),
  tenantId: z.string(),
  clientId: z.string(),
  objectId: z.string(),
  clientSecret: z.string(),
  signingKeyPem: z.string(),
  location: z.string(),
});

/** Who the simulated subscription and its one service principal are; the same over restarts. */
export type Identity = z.infer<typeof identitySchema>;

export interface IdentityFiles {
  readonly identity: Identity;
  /** Holds the client secret and nothing else, mode 600. */
  readonly clientSecretFile: string;
}

export function loadIdentity(stateDir: string): IdentityFiles {
  const path = join(stateDir, 'identity.json');
  const clientSecretFile = join(stateDir, 'client-secret');
  if (!existsSync(path)) writeDurably(path, JSON.stringify(newIdentity()));
  const identity = identitySchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  writeDurably(clientSecretFile, identity.clientSecret);
  return { identity, clientSecretFile };
}

function newIdentity(): Identity {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    subscriptionId: randomUUID(),
    tenantId: randomUUID(),
    clientId: randomUUID(),
    objectId: randomUUID(),
    clientSecret: randomBytes(30).toString('base64url'),
    signingKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    location: 'westeurope',
  };
}
