/**
 * Disk transport of a real site: one `nbdkit vddk` per disk, VMware's own library behind it (the customer brings
 * VDDK; ports 443 and 902). Reads always name the snapshot; a write opens the live disk, which VMFS locks for it.
 * See nbdkit-vddk-plugin(1).
 *
 * Tested: the command line, and the process's life with nbdkit's `file` plugin where nbdkit is installed. VDDK itself
 * needs a vCenter and is not in reach of the tests.
 */
import { X509Certificate } from 'node:crypto';
import { DrError } from '../../../domain/errors.ts';
import type { DiskExport, DiskTransport, SnapshotDisk, VCenterConnection } from '../../../domain/ports.ts';
import { opensExport } from './nbd-probe.ts';
import { type NbdkitProcess, startNbdkit } from './nbdkit.ts';

export interface NbdkitVddkConfig {
  /** Path or name of nbdkit. */
  readonly nbdkit: string;
  /** Folder of VDDK; holds `lib64/libvixDiskLib.so`. */
  readonly vddkFolder: string;
  /** In order of preference: `san`, `hotadd`, `nbdssl`, `nbd`. */
  readonly transports: readonly string[];
  /** An existing folder for sockets, at most about 80 bytes long. */
  readonly runFolder: string;
}

/** Plugin and parameters. The password is read from a file, so that no process list shows it. */
export function vddkArguments(
  config: Pick<NbdkitVddkConfig, 'vddkFolder' | 'transports'>,
  source: {
    readonly connection: VCenterConnection;
    readonly machineMoRef: string;
    /** Null: the disk as it is now. */
    readonly snapshotMoRef: string | null;
    readonly disk: Pick<SnapshotDisk, 'fileName'>;
    readonly passwordFile: string;
  },
): readonly string[] {
  const { hostname, port } = new URL(source.connection.url);
  return [
    'vddk',
    `libdir=${config.vddkFolder}`,
    `server=${hostname.replace(/^\[|\]$/g, '')}`,
    ...(port === '' ? [] : [`port=${port}`]),
    `user=${source.connection.username}`,
    `password=+${source.passwordFile}`,
    `thumbprint=${vddkThumbprint(source.connection.certificate.pem)}`,
    `vm=moref=${source.machineMoRef}`,
    ...(source.snapshotMoRef === null ? [] : [`snapshot=${source.snapshotMoRef}`]),
    `file=${source.disk.fileName}`,
    `transports=${config.transports.join(':')}`,
  ];
}

/** VDDK names a certificate by its SHA-1; trust was established by SHA-256 before. */
function vddkThumbprint(pem: string): string {
  return new X509Certificate(pem).fingerprint;
}

type Opening = Omit<Parameters<typeof vddkArguments>[1], 'passwordFile'> & { readonly signal: AbortSignal };

/** The export has the empty name. */
export function createNbdkitVddkTransport(config: NbdkitVddkConfig): DiskTransport {
  async function serve(opening: Opening): Promise<{ nbdkit: NbdkitProcess; disk: DiskExport }> {
    const nbdkit = await startNbdkit({
      command: config.nbdkit,
      runFolder: config.runFolder,
      secret: opening.connection.password,
      pluginArguments: (passwordFile) => vddkArguments(config, { ...opening, passwordFile }),
      isWritable: opening.snapshotMoRef === null,
      disk: opening.disk.fileName,
      signal: opening.signal,
    });
    const { socketPath } = nbdkit;
    const close = () => nbdkit.close();
    return { nbdkit, disk: { host: 'localhost', port: 0, socketPath, exportName: '', close } };
  }

  return {
    open: async (opening) => (await serve(opening)).disk,
    openForWriting: async (opening) => {
      const { nbdkit, disk } = await serve({ ...opening, snapshotMoRef: null });
      try {
        if (await opensExport(nbdkit.socketPath, opening.signal)) return disk;
        throw refused(opening, nbdkit.lastWords());
      } catch (error) {
        await nbdkit.close();
        throw error;
      }
    },
  };
}

function refused({ machineMoRef, disk }: Omit<Opening, 'snapshotMoRef'>, lastWords: string): DrError {
  const reason = lastWords === '' ? 'VDDK did not open it and gave no reason' : lastWords;
  return /\block|in use|already open/i.test(lastWords)
    ? new DrError('DR_MACHINE_FILE_LOCKED', { machine: machineMoRef, disk: disk.fileName, reason })
    : new DrError('DR_VCENTER_TASK_FAILED', {
        attempted: `open ${disk.fileName} for writing`,
        fault: reason,
      });
}
