/** The practice ground as a whole: everything outside the product, and the product beside it. */
import { writeFile } from 'node:fs/promises';
import { armControls, vcenterControls, type ArmControls, type VCenterControls } from './controls.ts';
import { isInUse, labPaths, openLabFolder, writeRecord, type LabPaths, type LabRecord } from './folder.ts';
import { practiceInventory, type InventoryMachine } from './inventory.ts';
import { labParts, type Around, type LabParts } from './parts.ts';
import type { ArmFacts, ArmRunning } from './processes/arm.ts';
import { identify } from './processes/pid.ts';
import type { AzuriteRunning } from './processes/azurite.ts';
import type { Running } from './processes/process.ts';
import type { ProductRunning } from './processes/product.ts';
import { TEMPORARY_PROCESS_SERVER } from './processes/temporary-process-server.ts';
import type { TemporalRunning } from './processes/temporal.ts';
import type { VCenterFacts, VCenterRunning } from './processes/vcenter.ts';
import { temporalBinary } from './tools/temporal.ts';
import { vcenterBinary } from './tools/vcenter.ts';

export interface LabOptions {
  readonly folder: string;
  readonly seed: number;
  readonly inventory?: readonly InventoryMachine[];
  /** File that holds a PostgreSQL address; absent: the embedded catalogue. */
  readonly catalogueUrlFile?: string;
  /** Machines that run answer on this host, at addresses in 127.0.0.0/8, from the application on their disk. */
  readonly answeringGuests?: boolean;
  /** Without Temporal's web page. */
  readonly headless?: boolean;
  /** Stands between everybody and the storage account: given its address, answers the one it is reached by. */
  readonly storageFront?: (accountUrl: string) => Promise<string>;
  /** Called when a part is ready. */
  readonly onReady?: (part: ReadyPart) => void;
}

export interface ReadyPart {
  readonly name: string;
  readonly address: string;
  readonly ms: number;
}

interface RunningParts {
  readonly temporal: TemporalRunning;
  readonly vcenter: VCenterRunning;
  readonly arm: ArmRunning;
  readonly azurite: AzuriteRunning;
  readonly product: ProductRunning;
}

export interface Lab extends RunningParts {
  readonly paths: LabPaths;
  readonly seed: number;
  readonly addresses: LabAddresses;
  readonly guest: VCenterControls;
  readonly azure: ArmControls;
  /** Starts Temporal again on its database and address, after it was killed. */
  restartTemporal(): Promise<TemporalRunning>;
  /** Starts the process server that machines need to come home, beside the product; again after it was killed. */
  startTemporaryProcessServer(): Promise<Running>;
  /** From now on everything goes on when this process ends; `switchback lab down` ends it. */
  leaveRunning(): Promise<void>;
  /** Stops the product first, then what it talks to. */
  stop(): Promise<void>;
}

export interface LabAddresses {
  readonly api: string;
  readonly temporal: string;
  readonly temporalUi?: string;
  readonly vcenter: VCenterFacts;
  readonly arm: ArmFacts;
  readonly productionSubnetId: string;
  readonly isolatedSubnetId: string;
}

/** Starts everything; on a failure what was started is stopped again. A folder used before goes on where it was. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const paths = labPaths(options.folder);
  const record = await openLabFolder(paths, options.seed);
  if (isInUse(record)) throw new Error(`${paths.folder} is in use by process ${record.owner?.pid}`);
  await writeFile(paths.inventory, JSON.stringify(options.inventory ?? practiceInventory(record.seed)));
  const tools = await Promise.all([temporalBinary(), vcenterBinary()]);
  const { headless = false, answeringGuests = false, catalogueUrlFile } = options;
  const catalogue = catalogueUrlFile === undefined ? {} : { catalogueUrlFile };
  const parts = labParts({ paths, ports: record.ports, headless, answeringGuests, ...catalogue });
  const started: Running[] = [];
  const note = (owner: LabRecord['owner']) =>
    writeRecord(paths, {
      ...record,
      owner,
      processes: started.map(({ name, identity }) => ({ name, ...identity })),
    });
  await note(identify(process.pid));
  let running: RunningParts;
  try {
    running = await startParts(parts, tools, started, options);
  } catch (error) {
    await stopAll(started);
    throw error;
  }
  await note(identify(process.pid));
  const { vcenter, arm } = running;
  const guest = vcenterControls(vcenter.facts.url, vcenter.facts.certificateFile);
  const azure = armControls(arm.facts.url, arm.facts.caFile);
  return {
    ...running,
    paths,
    seed: record.seed,
    addresses: addressesOf(running),
    guest,
    azure,
    async restartTemporal() {
      const again = await parts.temporal(tools[0]);
      started.push(again);
      return again;
    },
    async startTemporaryProcessServer() {
      const server = await parts.temporaryProcessServer(aroundOf(running));
      started.push(server);
      await note(identify(process.pid));
      return server;
    },
    async leaveRunning() {
      await Promise.all([guest.client.close(), azure.client.close()]);
      await note(null);
      for (const part of started) part.leaveRunning();
    },
    async stop() {
      await Promise.all([guest.client.close(), azure.client.close()]);
      await stopAll(started);
      await writeRecord(paths, { ...record, owner: null, processes: [] });
    },
  };
}

async function startParts(
  parts: LabParts,
  [temporalProgram, vcenterProgram]: readonly [string, string],
  started: Running[],
  { onReady, storageFront }: Pick<LabOptions, 'onReady' | 'storageFront'>,
): Promise<RunningParts> {
  const noted = async <T extends Running>(starting: Promise<T>, address: (part: T) => string): Promise<T> => {
    const from = Date.now();
    const part = await starting;
    started.push(part);
    onReady?.({ name: part.name, address: address(part), ms: Date.now() - from });
    return part;
  };
  const outside = [
    noted(parts.temporal(temporalProgram), (part) => part.address),
    noted(parts.vcenter(vcenterProgram), (part) => part.facts.url),
    noted(parts.azurite(), (part) => part.accountUrl),
  ] as const;
  // One that fails must not hide another that is still starting and has to be stopped.
  await Promise.allSettled(outside);
  const [temporal, vcenter, storage] = await Promise.all(outside);
  const accountUrl = (await storageFront?.(storage.accountUrl)) ?? storage.accountUrl;
  const azurite = { ...storage, accountUrl };
  const arm = await noted(parts.arm(azurite.accountUrl), (part) => part.facts.url);
  const outer = { temporal, vcenter, arm, azurite };
  const product = await noted(parts.product(aroundOf(outer)), (part) => part.apiUrl);
  return { ...outer, product };
}

function aroundOf({ temporal, azurite, arm }: Omit<RunningParts, 'product'>): Around {
  return { temporalAddress: temporal.address, accountUrl: azurite.accountUrl, arm: arm.facts };
}

async function stopAll(started: readonly Running[]): Promise<void> {
  for (const names of [['switchback', TEMPORARY_PROCESS_SERVER], ['arm']]) {
    await Promise.all(started.filter((part) => names.includes(part.name)).map((part) => part.stop()));
  }
  await Promise.all(started.map((part) => part.stop()));
}

function addressesOf({ temporal, vcenter, arm, product }: RunningParts): LabAddresses {
  const group = `/subscriptions/${arm.facts.subscriptionId}/resourceGroups/practice-network`;
  const networks = `${group}/providers/Microsoft.Network/virtualNetworks`;
  return {
    api: product.apiUrl,
    temporal: temporal.address,
    ...(temporal.uiUrl === undefined ? {} : { temporalUi: temporal.uiUrl }),
    vcenter: vcenter.facts,
    arm: arm.facts,
    productionSubnetId: `${networks}/production/subnets/default`,
    isolatedSubnetId: `${networks}/isolated/subnets/drill`,
  };
}
