/** A machine in the practice Azure whose disk came from a replica: what a way home begins with. */
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { asId } from '../../domain/ids.ts';
import type { ProtectedItemId, RunId } from '../../domain/ids.ts';
import { azureNames } from '../../domain/names.ts';
import { Secret } from '../../domain/ports.ts';
import type { Cloud, RunScope } from '../../domain/ports.ts';
import { startArm, type ArmFacts, type ArmRunning } from '../../lab/processes/arm.ts';
import { freePorts } from '../../lab/processes/ports.ts';
import { createCloud } from '../../providers/azure/cloud/cloud.ts';
import { createAzureCredential } from '../../providers/azure/credential.ts';
import { serve } from './serve.ts';
import type { StageAccount } from './stage.ts';

export interface AzureCalls {
  start(input: StageAccount & { readonly folder: string }): Promise<ArmFacts & { readonly pid: number }>;
  /** A running machine with the disk of that page blob. Answers the disk's id. */
  makeMachine(input: { readonly blobUrl: string }): Promise<{ readonly diskId: string }>;
  snapshot(input: {
    readonly diskId: string;
    readonly number: number;
  }): Promise<{ readonly snapshotId: string }>;
  /** The guest writes random bytes there. */
  write(input: {
    readonly diskId: string;
    readonly extents: readonly { readonly offset: number; readonly length: number }[];
  }): Promise<void>;
  /** SHA-256 of a disk or snapshot, told by the simulator. */
  hash(input: { readonly resourceId: string }): Promise<string>;
}

const POLL_MS = 30;
const MACHINE = 'bench';
const never = new AbortController().signal;
const quiet = () => undefined;

interface Azure {
  readonly arm: ArmRunning;
  readonly tlsCa: string;
  readonly cloud: Cloud;
  readonly scope: RunScope;
}

let azure: Azure | null = null;

const calls: AzureCalls = {
  async start({ folder, accountUrl, accountName, accountKey }) {
    await mkdir(folder, { recursive: true });
    const storageKeyFile = join(folder, 'storage.key');
    await writeFile(storageKeyFile, accountKey, { mode: 0o600 });
    const [port = 0] = await freePorts(1);
    const arm = await startArm({
      stateFolder: join(folder, 'state'),
      readyFile: join(folder, 'ready.json'),
      logFile: join(folder, 'arm.log'),
      port,
      storageEndpoint: accountUrl,
      storageAccount: accountName,
      storageKeyFile,
    });
    const tlsCa = await readFile(arm.facts.caFile, 'utf8');
    azure = { arm, tlsCa, cloud: await cloudOf(arm.facts, tlsCa), scope: scopeOf(arm.facts) };
    return { ...arm.facts, pid: arm.pid };
  },
  async makeMachine({ blobUrl }) {
    const { arm, cloud, scope } = started();
    await cloud.ensureResourceGroup(scope);
    const disk = {
      name: azureNames.disk(MACHINE, 0),
      sourceUrl: blobUrl,
      isOsDisk: true,
      osType: 'Linux',
      generation: 'V2',
    } as const;
    const { resourceId: diskId } = await cloud.awaitDisk(
      await cloud.beginDiskImport(scope, disk),
      quiet,
      never,
    );
    const networks = `/subscriptions/${arm.facts.subscriptionId}/resourceGroups/practice-network/providers/Microsoft.Network/virtualNetworks`;
    const nic = { name: azureNames.nic(MACHINE), subnetId: `${networks}/isolated/subnets/drill` };
    const { resourceId: nicId } = await cloud.awaitNic(await cloud.beginNic(scope, nic), quiet, never);
    const vm = { name: MACHINE, size: 'Standard_D2s_v5', osType: 'Linux', diskIds: [diskId], nicId } as const;
    await cloud.awaitVmRunning(await cloud.beginVm(scope, vm), quiet, never);
    return { diskId };
  },
  async snapshot({ diskId, number }) {
    const { cloud, scope } = started();
    const name = azureNames.snapshot(MACHINE, 0, number);
    const begun = await cloud.beginSnapshot(scope, { name, diskId });
    const { resourceId } = await cloud.awaitSnapshot(begun, quiet, never);
    return { snapshotId: resourceId };
  },
  async write({ diskId, extents }) {
    for (const [index, { offset, length }] of extents.entries()) {
      await ask('POST', '/_lab/disks/write', { id: diskId, offset, length, seed: index + 1 });
    }
  },
  async hash({ resourceId }) {
    const answer = await ask('GET', `/_lab/disks/hash?id=${encodeURIComponent(resourceId)}`);
    return (JSON.parse(answer) as { readonly sha256: string }).sha256;
  },
};

async function cloudOf(facts: ArmFacts, tlsCa: string): Promise<Cloud> {
  const { url, clientSecretFile, subscriptionId, tenantId, clientId } = facts;
  const secret = new Secret((await readFile(clientSecretFile, 'utf8')).trim());
  const identity = { kind: 'clientSecret', tenantId, clientId, secret, authorityHost: url, tlsCa } as const;
  return createCloud({
    subscriptionId,
    credential: createAzureCredential(identity),
    endpoint: url,
    tlsCa,
    pollIntervalMs: POLL_MS,
  });
}

function scopeOf({ location }: ArmFacts): RunScope {
  const runId = asId<RunId>('bench');
  const itemId = asId<ProtectedItemId>('5b1c8bac-0000-4000-8000-00000000d15c');
  return { runId, itemId, mode: 'real', resourceGroup: azureNames.resourceGroup(runId), location };
}

async function ask(method: string, path: string, body?: unknown): Promise<string> {
  const { arm, tlsCa } = started();
  const request = https.request(`${arm.facts.url}${path}`, { method, ca: tlsCa });
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const answer = await text(response);
  if ((response.statusCode ?? 500) >= 400) throw new Error(`${method} ${path}: ${answer}`);
  return answer;
}

function started(): Azure {
  if (azure === null) throw new Error('Azure is not started');
  return azure;
}

await serve({ ...calls }, async () => azure?.arm.stop());
