/** Writes the configuration an operator would write for this practice ground. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ArmFacts } from './processes/arm.ts';
import type { LabPaths } from './folder.ts';

export const STORAGE_ACCOUNT = 'practicestorage';
export const SITE = 'practice';

const UNBOUNDED = {
  pageBlobRequests: 1_000_000,
  pageBlobBytes: '100GiB',
  accountRequests: 1_000_000,
  accountBytes: '100GiB',
};

export interface ConfigurationInput {
  readonly paths: LabPaths;
  readonly apiPort: number;
  readonly temporalAddress: string;
  readonly accountUrl: string;
  readonly arm: ArmFacts;
  /** File that holds a PostgreSQL address; absent: the embedded catalogue. */
  readonly catalogueUrlFile?: string;
}

/** Of the appliance. */
export function writeConfiguration(input: ConfigurationInput): Promise<string> {
  const { paths } = input;
  return write(input, { file: paths.configuration, dataDir: paths.product });
}

/** Of the process server that runs in Azure while machines come home. */
export function writeTemporaryConfiguration(input: ConfigurationInput): Promise<string> {
  const { paths } = input;
  return write(input, { file: paths.temporaryConfiguration, dataDir: paths.temporary });
}

async function write(
  input: ConfigurationInput,
  { file, dataDir }: { readonly file: string; readonly dataDir: string },
): Promise<string> {
  const { paths, apiPort, temporalAddress, accountUrl, arm, catalogueUrlFile } = input;
  const settings = {
    dataDir,
    site: SITE,
    temporal: { address: temporalAddress },
    api: { host: '127.0.0.1', port: apiPort },
    ...(catalogueUrlFile === undefined ? {} : { catalogue: { urlFile: catalogueUrlFile } }),
    vault: { keyFile: paths.vaultKey },
    storage: {
      accountUrl,
      sharedKey: { accountName: STORAGE_ACCOUNT, keyFile: paths.storageKey },
      // Azurite answers 500 to CRC64, and grants what its one thread has.
      transferChecksum: 'none',
      limits: UNBOUNDED,
    },
    azure: {
      subscriptionId: arm.subscriptionId,
      location: arm.location,
      endpoint: arm.url,
      caFile: arm.caFile,
      prices: { endpoint: arm.url },
      pollInterval: '200ms',
      identity: {
        kind: 'clientSecret',
        tenantId: arm.tenantId,
        clientId: arm.clientId,
        secretFile: arm.clientSecretFile,
        authorityHost: arm.url,
      },
    },
    diskTransport: { kind: 'exportService' },
    replication: { intervalSecondsMin: '1s', cache: { freeMin: '256MiB', max: '4GiB' } },
  };
  const text = `# Written by the lab for this practice ground.\n${stringify(settings)}`;
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

/** What `SWITCHBACK_PROFILE` names, so that the CLI needs no further option. */
export async function writeProfile(paths: LabPaths, apiUrl: string): Promise<void> {
  const profile = {
    server: apiUrl,
    tokenFile: join(paths.product, 'administrator.token'),
    caFile: join(paths.product, 'tls/authority.pem'),
  };
  await writeFile(paths.profile, `${JSON.stringify(profile, null, 2)}\n`, { mode: 0o600 });
}
