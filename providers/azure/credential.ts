/** Who Switchback is in Azure. One explicit identity each: a chain that tries several hides which one was used. */
import {
  ClientSecretCredential,
  ManagedIdentityCredential,
  WorkloadIdentityCredential,
} from '@azure/identity';
import type { TokenCredential } from '@azure/identity';
import type { Secret } from '../../domain/ports.ts';

/** Where tokens come from when it is not the public cloud, and whose certificate to trust there (PEM). */
interface Authority {
  readonly authorityHost?: string;
  readonly tlsCa?: string;
}

export type AzureIdentity =
  | ({
      readonly kind: 'clientSecret';
      readonly tenantId: string;
      readonly clientId: string;
      readonly secret: Secret;
    } & Authority)
  | ({
      readonly kind: 'workloadIdentity';
      readonly tenantId: string;
      readonly clientId: string;
      readonly tokenFile: string;
    } & Authority)
  | { readonly kind: 'managedIdentity'; readonly clientId?: string };

/** Asks for no token yet; the credential keeps its tokens in memory and renews them. */
export function createAzureCredential(identity: AzureIdentity): TokenCredential {
  if (identity.kind === 'clientSecret') {
    const { tenantId, clientId, secret } = identity;
    return new ClientSecretCredential(tenantId, clientId, secret.reveal(), authorityOptions(identity));
  }
  if (identity.kind === 'workloadIdentity') {
    const { tenantId, clientId, tokenFile } = identity;
    const options = { tenantId, clientId, tokenFilePath: tokenFile };
    return new WorkloadIdentityCredential({ ...options, ...authorityOptions(identity) });
  }
  return identity.clientId === undefined
    ? new ManagedIdentityCredential()
    : new ManagedIdentityCredential({ clientId: identity.clientId });
}

/** An authority of one's own is unknown to Microsoft's directory of authorities: asking that would only fail. */
function authorityOptions({ authorityHost, tlsCa }: Authority) {
  return {
    ...(authorityHost === undefined ? {} : { authorityHost, disableInstanceDiscovery: true }),
    ...(tlsCa === undefined ? {} : { tlsOptions: { ca: tlsCa } }),
  };
}
