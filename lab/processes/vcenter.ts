/** The practice vCenter: VMware's own simulator with real disks, changed-block tracking and an NBD export service. */
import { flags, startProcess, type Running } from './process.ts';
import { forgetReadyFile, readyFile } from './ready.ts';

export interface VCenterOptions {
  readonly binary: string;
  readonly stateFolder: string;
  readonly readyFile: string;
  readonly logFile: string;
  readonly port: number;
  readonly nbdPort: number;
  readonly username: string;
  readonly passwordFile: string;
  readonly inventoryFile: string;
  /** Machines that run have addresses in 127.0.0.0/8 and answer there. */
  readonly loopbackGuests?: boolean;
}

/** What the practice vCenter writes once it serves. */
export interface VCenterFacts {
  readonly url: string;
  readonly certificateSha256: string;
  readonly certificateFile: string;
  readonly nbdHost: string;
  readonly nbdPort: number;
  readonly username: string;
  readonly passwordFile: string;
}

export type VCenterRunning = Running & { readonly facts: VCenterFacts };

const HOST = '127.0.0.1';

/** Told apart from those of other practice grounds on this host by the port. */
function guestNetwork(port: number): string {
  return `127.${port >> 8}.${port & 0xff}.0/24`;
}

export async function startVCenter(options: VCenterOptions): Promise<VCenterRunning> {
  await forgetReadyFile(options.readyFile);
  return startProcess({
    name: 'vcenter',
    command: options.binary,
    args: [
      ...flags({
        listen: `${HOST}:${options.port}`,
        'nbd-listen': `${HOST}:${options.nbdPort}`,
        state: options.stateFolder,
        'ready-file': options.readyFile,
        username: options.username,
        'password-file': options.passwordFile,
        inventory: options.inventoryFile,
      }),
      ...(options.loopbackGuests === true ? flags({ 'guest-network': guestNetwork(options.port) }) : []),
    ],
    logFile: options.logFile,
    ready: () => readyFile<VCenterFacts>(options.readyFile),
    readyWithinMs: 60_000,
  });
}
