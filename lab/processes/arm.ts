/** Azure's control plane in the small: Resource Manager and token endpoint over HTTPS with an authority of its own. */
import { join } from 'node:path';
import { repositoryRoot } from '../tools/cache.ts';
import { flags, startProcess, type Running } from './process.ts';
import { forgetReadyFile, readyFile } from './ready.ts';

export interface ArmOptions {
  readonly stateFolder: string;
  readonly readyFile: string;
  readonly logFile: string;
  readonly port: number;
  readonly storageEndpoint: string;
  readonly storageAccount: string;
  readonly storageKeyFile: string;
  /** Networks in 127.0.0.0/8: machines that run can be reached on this host. */
  readonly loopbackNetworks?: boolean;
}

/** What the simulator writes once it serves. */
export interface ArmFacts {
  readonly url: string;
  readonly caFile: string;
  readonly subscriptionId: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecretFile: string;
  readonly location: string;
}

export type ArmRunning = Running & { readonly facts: ArmFacts };

export async function startArm(options: ArmOptions): Promise<ArmRunning> {
  await forgetReadyFile(options.readyFile);
  return startProcess({
    name: 'arm',
    command: process.execPath,
    args: [
      join(repositoryRoot, 'lab/arm/main.ts'),
      ...flags({
        listen: `127.0.0.1:${options.port}`,
        state: options.stateFolder,
        'ready-file': options.readyFile,
        'storage-endpoint': options.storageEndpoint,
        'storage-account': options.storageAccount,
        'storage-key-file': options.storageKeyFile,
      }),
      ...(options.loopbackNetworks === true ? ['--loopback-networks'] : []),
    ],
    logFile: options.logFile,
    ready: () => readyFile<ArmFacts>(options.readyFile),
    readyWithinMs: 60_000,
  });
}
