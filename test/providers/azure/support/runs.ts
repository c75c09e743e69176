/** The steps of a run on the practice cloud, each with the names and sizes that do not matter to a test. */
import { vhdFooter } from '../../../../dataplane/apply/vhd-footer.ts';
import { asId } from '../../../../domain/ids.ts';
import type { DiskId, ProtectedItemId, RunId } from '../../../../domain/ids.ts';
import { azureNames } from '../../../../domain/names.ts';
import type { Cloud, RunScope } from '../../../../domain/ports.ts';
import { MiB } from '../../../../domain/units.ts';
import { createVaultStorage, ensureContainer } from '../../../../providers/azure/storage/vault-storage.ts';
import type { StorageOptions } from '../../../../providers/azure/storage/vault-storage.ts';
import type { PracticeCloud } from './practice-cloud.ts';

export const DISK_BYTES = 4 * MiB;
export const never = new AbortController().signal;
export const quiet = () => undefined;

export interface Runs {
  readonly cloud: Cloud;
  /** Of a run that has nothing in Azure yet; mode `test` unless told. */
  newScope(mode?: RunScope['mode']): RunScope;
  newGroup(mode?: RunScope['mode']): Promise<RunScope>;
  diskOf(name: string, isOsDisk?: boolean): Parameters<Cloud['beginDiskImport']>[1];
  importDisk(scope: RunScope): Promise<string>;
  createNic(scope: RunScope): Promise<string>;
  /** For a machine whose disk and network interface exist. */
  vmRequest(scope: RunScope): Promise<Parameters<Cloud['beginVm']>[1]>;
  deleteGroup(scope: RunScope): Promise<void>;
}

export async function prepareRuns(practice: PracticeCloud): Promise<Runs> {
  await ensureContainer(practice.storage);
  const sourceUrl = await stageVhd(practice.storage);
  const cloud = practice.cloud();
  let counter = 0;
  const runs: Runs = {
    cloud,
    newScope(mode = 'test') {
      counter += 1;
      const runId = asId<RunId>(`run-${counter}`);
      const itemId = asId<ProtectedItemId>('5001a2b3-0000-4000-8000-000000000001');
      const resourceGroup = azureNames.resourceGroup(runId);
      return { runId, itemId, mode, resourceGroup, location: practice.location };
    },
    async newGroup(mode) {
      const scope = runs.newScope(mode);
      await cloud.ensureResourceGroup(scope);
      return scope;
    },
    diskOf: (name, isOsDisk = true) => ({ name, sourceUrl, isOsDisk, osType: 'Linux', generation: 'V2' }),
    async importDisk(scope) {
      const begun = await cloud.beginDiskImport(scope, runs.diskOf('web-disk0'));
      return (await cloud.awaitDisk(begun, quiet, never)).resourceId;
    },
    async createNic(scope) {
      const subnetId = practice.subnets.isolated;
      const begun = await cloud.beginNic(scope, { name: 'web-nic0', subnetId });
      return (await cloud.awaitNic(begun, quiet, never)).resourceId;
    },
    async vmRequest(scope) {
      const [diskId, nicId] = [await runs.importDisk(scope), await runs.createNic(scope)];
      return { name: 'web', size: 'Standard_D2s_v5', osType: 'Linux', diskIds: [diskId], nicId };
    },
    async deleteGroup(scope) {
      await cloud.awaitDeleted(await cloud.beginDeleteResourceGroup(scope), quiet, never);
    },
  };
  return runs;
}

async function stageVhd(storage: StorageOptions): Promise<string> {
  const blob = createVaultStorage(storage).replica('failover/run/disk.vhd');
  await blob.create(DISK_BYTES + 512);
  const writer = await blob.fence(1, never);
  await writer.write(0, Buffer.alloc(MiB, 7));
  await writer.write(DISK_BYTES, vhdFooter(DISK_BYTES, asId<DiskId>('0'.repeat(32))));
  await writer.release();
  return blob.url;
}

/** Takes every fault off, and gives back the quota and the speed. */
export async function undisturb(practice: PracticeCloud): Promise<void> {
  await practice.lab('DELETE', '/_lab/faults');
  await practice.lab('POST', '/_lab/settings', { quotas: { standardDSv5Family: 64 }, operationMs: 0 });
}

/** For a client of the Azure SDK, which does what an operator could do in the portal. */
export function portal(practice: PracticeCloud) {
  const { endpoint, tlsCa } = practice.trust;
  return { endpoint, tlsOptions: { ca: tlsCa } };
}
