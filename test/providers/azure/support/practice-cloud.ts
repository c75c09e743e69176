/** Azurite and the practice ground's Resource Manager together, with what a test needs to disturb and watch them. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TokenCredential } from '@azure/identity';
import { Secret } from '../../../../domain/ports.ts';
import type { Cloud } from '../../../../domain/ports.ts';
import { startArm } from '../../../../lab/processes/arm.ts';
import type { ArmRunning } from '../../../../lab/processes/arm.ts';
import { freePorts } from '../../../../lab/processes/ports.ts';
import { createCloud } from '../../../../providers/azure/cloud/cloud.ts';
import type { CloudOptions } from '../../../../providers/azure/cloud/cloud.ts';
import { createAzureCredential } from '../../../../providers/azure/credential.ts';
import type { StorageOptions } from '../../../../providers/azure/storage/vault-storage.ts';
import { startAzurite } from './azurite.ts';

export interface LoggedRequest {
  readonly sequence: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface PracticeCloud {
  readonly storage: StorageOptions;
  readonly subscriptionId: string;
  readonly location: string;
  /** A subnet of a network that reaches nothing, and one of a network that is peered with on-premises. */
  readonly subnets: { readonly isolated: string; readonly production: string };
  readonly clientSecret: string;
  readonly trust: { readonly endpoint: string; readonly tlsCa: string };
  /** Another client of the same subscription, as another process would have. */
  cloud(changes?: Partial<CloudOptions>): Cloud;
  credential(secret?: Secret): TokenCredential;
  lab(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Mutating requests since the given one. */
  requestsSince(sequence: number): Promise<readonly LoggedRequest[]>;
  /** Takes the Resource Manager away without a word; `restart` brings it back on the same port. */
  killArm(): Promise<void>;
  restartArm(): Promise<void>;
  stop(): Promise<void>;
}

const POLL_INTERVAL_MS = 30;

export async function startPracticeCloud(): Promise<PracticeCloud> {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchback-cloud-'));
  const azurite = await startAzurite();
  const storage = azurite.storage('vault');
  if (storage.credential.kind !== 'sharedKey') throw new Error('the emulator is used with its key');
  const { accountName, key } = storage.credential;
  const keyFile = path.join(folder, 'storage.key');
  await writeFile(keyFile, key.reveal(), { mode: 0o600 });
  const [port = 0] = await freePorts(1);
  const launch = () =>
    startArm({
      stateFolder: path.join(folder, 'arm'),
      readyFile: path.join(folder, 'arm.json'),
      logFile: path.join(folder, 'arm.log'),
      port,
      storageEndpoint: storage.accountUrl,
      storageAccount: accountName,
      storageKeyFile: keyFile,
    });
  let arm: ArmRunning = await launch();
  const { facts } = arm;
  const tlsCa = await readFile(facts.caFile, 'utf8');
  const clientSecret = (await readFile(facts.clientSecretFile, 'utf8')).trim();
  const networks = `/subscriptions/${facts.subscriptionId}/resourceGroups/practice-network/providers/Microsoft.Network/virtualNetworks`;
  const lab = (method: string, route: string, body?: unknown) =>
    sendJson({ url: `${facts.url}${route}`, method, ca: tlsCa, body });
  const credential = (secret = new Secret(clientSecret)) =>
    createAzureCredential({
      kind: 'clientSecret',
      tenantId: facts.tenantId,
      clientId: facts.clientId,
      secret,
      authorityHost: facts.url,
      tlsCa,
    });
  return {
    storage,
    subscriptionId: facts.subscriptionId,
    location: facts.location,
    subnets: {
      isolated: `${networks}/isolated/subnets/drill`,
      production: `${networks}/production/subnets/default`,
    },
    clientSecret,
    trust: { endpoint: facts.url, tlsCa },
    credential,
    cloud: (changes = {}) =>
      createCloud({
        subscriptionId: facts.subscriptionId,
        credential: credential(),
        endpoint: facts.url,
        tlsCa,
        pollIntervalMs: POLL_INTERVAL_MS,
        ...changes,
      }),
    lab,
    requestsSince: async (sequence) =>
      (await lab('GET', `/_lab/requests?since=${sequence}`)) as readonly LoggedRequest[],
    async killArm() {
      arm.kill('SIGKILL');
      await arm.exited;
    },
    async restartArm() {
      arm = await launch();
    },
    async stop() {
      await arm.stop();
      await azurite.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function sendJson(call: {
  readonly url: string;
  readonly method: string;
  readonly ca: string;
  readonly body: unknown;
}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(call.url, { method: call.method, ca: call.ca, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if ((response.statusCode ?? 500) >= 400) reject(new Error(`${call.method} ${call.url}: ${text}`));
        else resolve(text === '' ? null : JSON.parse(text));
      });
    });
    request.on('error', reject);
    request.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  });
}
