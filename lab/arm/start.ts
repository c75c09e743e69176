import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { BlobSource } from './blob-source.ts';
import { Answering } from './answering.ts';
import { ByteStore } from './bytes.ts';
import { consequencesOf } from './consequences.ts';
import { Guests } from './guests.ts';
import { loadIdentity } from './identity.ts';
import { Lro } from './lro.ts';
import { operationKinds } from './operation-kinds.ts';
import { RequestLog } from './requests.ts';
import { sweepBytes } from './resources/deletion.ts';
import { loopbackNetworks, ordinaryNetworks, seed } from './seed.ts';
import { createListener } from './server.ts';
import type { Simulator } from './simulator.ts';
import { Store } from './store.ts';
import { loadTls } from './tls.ts';
import { TokenService } from './token.ts';
import { WriteLog } from './write-log.ts';

export interface ArmOptions {
  readonly host: string;
  /** 0: any free one. A restart must be given the port of the first start: operation URLs hold it. */
  readonly port: number;
  readonly stateDir: string;
  readonly storageEndpoint: string;
  readonly storageAccount: string;
  readonly storageKeyFile: string;
  /** A new subscription's networks lie in 127.0.0.0/8, so that machines that run can be reached on this host. */
  readonly loopbackNetworks?: boolean;
}

/** What a client needs to know. */
export interface Ready {
  readonly url: string;
  readonly caFile: string;
  readonly subscriptionId: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly location: string;
}

export interface RunningArm {
  readonly ready: Ready;
  close(): Promise<void>;
}

export async function startArm(options: ArmOptions): Promise<RunningArm> {
  const { stateDir } = options;
  const bytes = new ByteStore(stateDir);
  const store = new Store(stateDir, (before, changes) => consequencesOf(before, bytes, changes));
  const { identity, clientSecretFile } = loadIdentity(stateDir);
  const tls = await loadTls(stateDir);
  let url = '';
  const simulator: Simulator = {
    identity,
    store,
    bytes,
    source: new BlobSource({
      endpoint: options.storageEndpoint,
      account: options.storageAccount,
      key: readFileSync(options.storageKeyFile, 'utf8').trim(),
    }),
    lro: new Lro(() => simulator, operationKinds),
    requests: new RequestLog(stateDir),
    writes: new WriteLog(stateDir),
    guests: new Guests(() => simulator),
    answering: new Answering(() => simulator),
    url: () => url,
  };
  const listener = createListener(simulator, new TokenService(identity, () => url));
  const server = createServer({ key: tls.key, cert: tls.cert }, (request, response) => {
    void listener(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  url = `https://${options.host}:${port}`;
  seed(store, identity, options.loopbackNetworks === true ? loopbackNetworks(port) : ordinaryNetworks);
  await sweepBytes(simulator);
  simulator.lro.resume();
  simulator.guests.resume();
  store.onCommit((changes) => simulator.answering.follow(changes));
  simulator.answering.resume();
  return {
    ready: {
      url,
      caFile: tls.caFile,
      subscriptionId: identity.subscriptionId,
      tenantId: identity.tenantId,
      clientId: identity.clientId,
      clientSecretFile,
      location: identity.location,
    },
    async close() {
      simulator.guests.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await simulator.lro.stop();
      await simulator.answering.close();
      store.close();
      bytes.close();
    },
  };
}
