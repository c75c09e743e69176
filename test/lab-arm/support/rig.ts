/** The simulator and Azurite as processes of their own, and Microsoft's clients that speak to them. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ComputeManagementClient } from '@azure/arm-compute';
import { NetworkManagementClient } from '@azure/arm-network';
import { ResourceManagementClient } from '@azure/arm-resources';
import { ClientSecretCredential } from '@azure/identity';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { PageBlobClient } from '@azure/storage-blob';
import { MiB, VHD_FOOTER_BYTES } from '../../../domain/units.ts';
import { makeFooter } from '../../../lab/arm/vhd.ts';
import { startArm } from '../../../lab/processes/arm.ts';
import type { ArmFacts, ArmRunning } from '../../../lab/processes/arm.ts';
import { startAzurite } from '../../../lab/processes/azurite.ts';
import { freePorts } from '../../../lab/processes/ports.ts';

const ACCOUNT = 'practiceaccount';
const KEY = Buffer.from('a key of the practice ground only').toString('base64');
/** Quick polling: the simulator sends no Retry-After. */
export const quick = { updateIntervalInMs: 20 };

export interface Clients {
  readonly compute: ComputeManagementClient;
  readonly network: NetworkManagementClient;
  readonly resources: ResourceManagementClient;
  readonly credential: ClientSecretCredential;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Rig {
  readonly facts: ArmFacts;
  /** PEM of the authority to trust. */
  readonly ca: string;
  readonly clients: Clients;
  /** New clients that know nothing of earlier calls. */
  freshClients(): Clients;
  readonly container: ContainerClient;
  raw(
    method: string,
    path: string,
    options?: { headers?: Record<string, string>; body?: unknown },
  ): Promise<RawAnswer>;
  lab<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** SIGKILL, then a start on the same port and state. */
  killAndRestart(): Promise<void>;
  close(): Promise<void>;
}

export async function startRig({ loopbackNetworks = false } = {}): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-arm-'));
  const keyFile = join(folder, 'key');
  await writeFile(keyFile, KEY, { mode: 0o600 });
  const [azuritePort = 0, armPort = 0] = await freePorts(2);
  const azurite = await startAzurite({
    folder: join(folder, 'azurite'),
    logFile: join(folder, 'azurite.log'),
    port: azuritePort,
    accountName: ACCOUNT,
    keyFile,
  });
  const start = (): Promise<ArmRunning> =>
    startArm({
      stateFolder: join(folder, 'arm'),
      readyFile: join(folder, 'arm.json'),
      logFile: join(folder, 'arm.log'),
      port: armPort,
      storageEndpoint: azurite.accountUrl,
      storageAccount: ACCOUNT,
      storageKeyFile: keyFile,
      loopbackNetworks,
    });
  let arm = await start();
  const { facts } = arm;
  const ca = await readFile(facts.caFile, 'utf8');
  const container = new ContainerClient(
    `${azurite.accountUrl}/vault`,
    new StorageSharedKeyCredential(ACCOUNT, KEY),
  );
  await container.create();
  const raw: Rig['raw'] = (method, path, options = {}) =>
    rawRequest(ca, new URL(path, facts.url), method, options);
  return {
    facts,
    ca,
    clients: connect(facts, ca),
    freshClients: () => connect(facts, ca),
    container,
    raw,
    async lab<T>(method: string, path: string, body?: unknown): Promise<T> {
      const { status, text } = await raw(method, `/_lab${path}`, body === undefined ? {} : { body });
      if (status >= 300) throw new Error(`${method} /_lab${path}: ${status} ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    async killAndRestart() {
      arm.kill('SIGKILL');
      await arm.exited;
      arm = await start();
    },
    async close() {
      await arm.stop();
      await azurite.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function connect(facts: ArmFacts, ca: string): Clients {
  const secret = readFileSync(facts.clientSecretFile, 'utf8');
  const credential = new ClientSecretCredential(facts.tenantId, facts.clientId, secret, {
    authorityHost: facts.url,
    disableInstanceDiscovery: true,
    tlsOptions: { ca },
  });
  const options = { endpoint: facts.url, tlsOptions: { ca }, retryOptions: { retryDelayInMs: 10 } };
  return {
    credential,
    compute: new ComputeManagementClient(credential, facts.subscriptionId, options),
    network: new NetworkManagementClient(credential, facts.subscriptionId, options),
    resources: new ResourceManagementClient(credential, facts.subscriptionId, options),
  };
}

function rawRequest(
  ca: string,
  url: URL,
  method: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: unknown },
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, ca, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.on('error', reject);
    sent.end(typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body));
  });
}

/** A page blob that holds a fixed VHD with the given pieces of data. */
export async function makeVhd(
  rig: Rig,
  name: string,
  mebibytes: number,
  pieces: readonly { readonly offset: number; readonly bytes: Buffer }[],
): Promise<PageBlobClient> {
  const blob = rig.container.getPageBlobClient(name);
  const bytes = mebibytes * MiB;
  await blob.create(bytes + VHD_FOOTER_BYTES);
  for (const { offset, bytes: piece } of pieces) await blob.uploadPages(piece, offset, piece.length);
  await blob.uploadPages(makeFooter(bytes, name), bytes, VHD_FOOTER_BYTES);
  return blob;
}

/** Azure's error code of a call that must fail, whichever shape the SDK gives the failure. */
export async function codeOf(call: PromiseLike<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code ?? /has failed\. (\w+)\./.exec(message)?.[1] ?? message;
  }
  return 'it succeeded';
}
