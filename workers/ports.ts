/** Builds the ports of `domain/ports.ts` from the configuration. The only place where a provider meets a setting. */
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createBootLogActivities } from '../activities/evidence/boot-logs.ts';
import { createStepActivities } from '../activities/steps/create-step-activities.ts';
import type { Config } from '../config/load.ts';
import { Egress } from '../dataplane/egress/egress.ts';
import { CacheLevel } from '../dataplane/ship/cache-level.ts';
import { sweepFolders } from '../dataplane/ship/leftovers.ts';
import {
  Secret,
  type Cloud,
  type DiskTransport,
  type PriceList,
  type SiteGuests,
  type VaultKey,
  type VaultStorage,
  type VCenterDirectory,
} from '../domain/ports.ts';
import { createCloud, type CloudOptions } from '../providers/azure/cloud/cloud.ts';
import { createCloudGuests } from '../providers/azure/cloud/guests.ts';
import { createAzureCredential } from '../providers/azure/credential.ts';
import { createPriceList } from '../providers/azure/prices.ts';
import { createVaultStorage, ensureContainer } from '../providers/azure/storage/vault-storage.ts';
import { createSecretsFolder } from '../providers/steps/secrets-folder.ts';
import { createFileVaultKey } from '../providers/vault/file-vault-key.ts';
import { createExportServiceTransport } from '../providers/vsphere/transport/export-service.ts';
import { createNbdkitVddkTransport } from '../providers/vsphere/transport/nbdkit-vddk.ts';
import type { VSphereClient } from '../providers/vsphere/vsphere.ts';
import type { BootLogActivities } from '../workflows/contracts/evidence.ts';
import type { StepActivities } from '../workflows/contracts/plan.ts';

export async function azureCredential(config: Config) {
  const { identity, caFile } = config.azure;
  const tlsCa = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
  const trust = tlsCa === undefined ? {} : { tlsCa };
  if (identity.kind !== 'clientSecret') return createAzureCredential({ ...identity, ...trust });
  const { secretFile, ...rest } = identity;
  return createAzureCredential({ ...rest, ...trust, secret: await secretFrom(secretFile) });
}

export async function vaultStorage(config: Config): Promise<VaultStorage> {
  return createVaultStorage(await storageOptions(config));
}

/** Makes the container where it is missing; the workers that move bytes do it before they poll. */
export async function ensureVault(config: Config): Promise<void> {
  await ensureContainer(await storageOptions(config));
}

async function storageOptions(config: Config) {
  const { accountUrl, container, sharedKey, transferChecksum, limits } = config.storage;
  const credential =
    sharedKey === undefined
      ? ({ kind: 'identity', credential: await azureCredential(config) } as const)
      : ({
          kind: 'sharedKey',
          accountName: sharedKey.accountName,
          key: await secretFrom(sharedKey.keyFile),
        } as const);
  return {
    accountUrl,
    container,
    credential,
    transferChecksum,
    limits: {
      blob: { requestsPerSecond: limits.pageBlobRequests, bytesPerSecond: limits.pageBlobBytes },
      account: { requestsPerSecond: limits.accountRequests, bytesPerSecond: limits.accountBytes },
    },
  };
}

export async function vaultKey(config: Config): Promise<VaultKey> {
  return createFileVaultKey(config.vault.keyFile);
}

export async function cloud(config: Config): Promise<Cloud> {
  return createCloud(await cloudOptions(config));
}

async function cloudOptions(config: Config): Promise<CloudOptions> {
  const { subscriptionId, endpoint, caFile, pollInterval } = config.azure;
  return {
    subscriptionId,
    credential: await azureCredential(config),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(caFile === undefined ? {} : { tlsCa: await readFile(caFile, 'utf8') }),
    ...(pollInterval === undefined ? {} : { pollIntervalMs: pollInterval }),
  };
}

export async function priceList(config: Config): Promise<PriceList> {
  const { prices, caFile } = config.azure;
  return createPriceList({
    ...(prices.endpoint === undefined ? {} : { endpoint: prices.endpoint }),
    ...(caFile === undefined ? {} : { tlsCa: await readFile(caFile, 'utf8') }),
  });
}

/** Steps of recovery plans, with what this process can ask about machines. */
export async function stepActivities(
  config: Config,
  { inAzure = false, site = null }: { readonly inAzure?: boolean; readonly site?: SiteGuests | null } = {},
): Promise<StepActivities> {
  const { secretsFolder, commandFolders, webhookCaFile } = config.steps;
  return createStepActivities({
    secrets: createSecretsFolder(secretsFolder),
    commandFolders,
    ...(webhookCaFile === undefined ? {} : { webhookCa: await readFile(webhookCaFile, 'utf8') }),
    guests: inAzure ? createCloudGuests(await cloudOptions(config)) : null,
    site,
  });
}

export async function bootLogActivities(config: Config, storage: VaultStorage): Promise<BootLogActivities> {
  return createBootLogActivities({ guests: createCloudGuests(await cloudOptions(config)), storage });
}

export function siteGuests(vsphere: VSphereClient, vcenters: VCenterDirectory): SiteGuests {
  return {
    async address({ vcenterId, machineId }) {
      return vsphere.session(await vcenters.load(vcenterId)).guestAddress(machineId);
    },
  };
}

/** VDDK's own order of preference for a process server without access to the storage network. */
const VDDK_TRANSPORTS = ['hotadd', 'nbdssl', 'nbd'] as const;

export async function diskTransport(config: Config, vsphere: VSphereClient): Promise<DiskTransport> {
  const { diskTransport: chosen } = config;
  if (chosen.kind === 'exportService') return createExportServiceTransport(vsphere);
  return createNbdkitVddkTransport({
    nbdkit: chosen.nbdkit,
    vddkFolder: chosen.libraryDir,
    transports: VDDK_TRANSPORTS,
    // Short, because a socket's path holds about 100 characters.
    runFolder: await mkdtemp(join(tmpdir(), 'switchback-nbd-')),
  });
}

export async function cacheFolder(config: Config): Promise<string> {
  const { folder } = config.replication.cache;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** One for a process: its items share the cache's room. */
export async function cachePolicy(config: Config, log: Logger) {
  const { freeMin, max, lowWater } = config.replication.cache;
  const folder = await cacheFolder(config);
  await sweepFolders(folder, Date.now());
  const level = new CacheLevel({ high: max, low: lowWater }, (isDraining, counters) => {
    if (isDraining) log.warn(counters, 'the cache is full: deltas wait until it has drained');
    else log.info(counters, 'the cache has drained: deltas go on');
  });
  return { folder, freeBytesMin: freeMin, bytesMax: max, level };
}

/** One for a process: all its items share the site's line. */
export function siteEgress(config: Config): Egress {
  const { throttle, uploads } = config.replication;
  return new Egress({ schedule: throttle, uploadsAtOnce: uploads });
}

async function secretFrom(file: string): Promise<Secret> {
  return new Secret((await readFile(file, 'utf8')).trim());
}
