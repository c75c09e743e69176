/** How each part of the practice ground is started in a lab's folder. */
import {
  STORAGE_ACCOUNT,
  writeConfiguration,
  writeProfile,
  writeTemporaryConfiguration,
} from './configuration.ts';
import type { LabPaths, LabRecord } from './folder.ts';
import { startArm, type ArmFacts, type ArmRunning } from './processes/arm.ts';
import { startAzurite, type AzuriteRunning } from './processes/azurite.ts';
import { startProduct, type ProductRunning } from './processes/product.ts';
import type { Running } from './processes/process.ts';
import { startTemporaryProcessServer } from './processes/temporary-process-server.ts';
import { startTemporal, type TemporalRunning } from './processes/temporal.ts';
import { startVCenter, type VCenterRunning } from './processes/vcenter.ts';

const VCENTER_USER = 'switchback@vsphere.local';

export interface PartsOptions {
  readonly paths: LabPaths;
  readonly ports: LabRecord['ports'];
  readonly headless: boolean;
  readonly answeringGuests: boolean;
  /** File that holds a PostgreSQL address; absent: the embedded catalogue. */
  readonly catalogueUrlFile?: string;
}

export interface LabParts {
  temporal(binary: string): Promise<TemporalRunning>;
  vcenter(binary: string): Promise<VCenterRunning>;
  azurite(): Promise<AzuriteRunning>;
  arm(accountUrl: string): Promise<ArmRunning>;
  product(around: Around): Promise<ProductRunning>;
  temporaryProcessServer(around: Around): Promise<Running>;
}

/** What the product talks to. */
export interface Around {
  readonly temporalAddress: string;
  readonly accountUrl: string;
  readonly arm: ArmFacts;
}

export function labParts({ paths, ports, headless, answeringGuests, ...catalogue }: PartsOptions): LabParts {
  return {
    temporal: (binary) =>
      startTemporal({
        binary,
        databaseFile: paths.temporalDatabase,
        logFile: paths.log('temporal'),
        port: ports.temporal,
        ...(headless ? {} : { uiPort: ports.temporalUi }),
      }),
    vcenter: (binary) =>
      startVCenter({
        binary,
        stateFolder: paths.vcenter,
        readyFile: paths.ready('vcenter'),
        logFile: paths.log('vcenter'),
        port: ports.vcenter,
        nbdPort: ports.nbd,
        username: VCENTER_USER,
        passwordFile: paths.vcenterPassword,
        inventoryFile: paths.inventory,
        loopbackGuests: answeringGuests,
      }),
    azurite: () =>
      startAzurite({
        folder: paths.azurite,
        logFile: paths.log('azurite'),
        port: ports.azurite,
        accountName: STORAGE_ACCOUNT,
        keyFile: paths.storageKey,
      }),
    arm: (accountUrl) =>
      startArm({
        stateFolder: paths.arm,
        readyFile: paths.ready('arm'),
        logFile: paths.log('arm'),
        port: ports.arm,
        storageEndpoint: accountUrl,
        storageAccount: STORAGE_ACCOUNT,
        storageKeyFile: paths.storageKey,
        loopbackNetworks: answeringGuests,
      }),
    async product(around) {
      const configurationFile = await writeConfiguration({
        paths,
        apiPort: ports.api,
        ...around,
        ...catalogue,
      });
      const product = await startProduct({
        configurationFile,
        dataDir: paths.product,
        apiPort: ports.api,
        logFile: paths.log('switchback'),
      });
      await writeProfile(paths, product.apiUrl);
      return product;
    },
    temporaryProcessServer: async (around) =>
      startTemporaryProcessServer({
        configurationFile: await writeTemporaryConfiguration({ paths, apiPort: ports.api, ...around }),
        logFile: paths.log('temporary-process-server'),
      }),
  };
}
