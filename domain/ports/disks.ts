/** Where disk bytes come from and go to, and how the disks of a VMware machine are reached. */
import type { Extent } from '../replication.ts';
import type { SnapshotDisk, VCenterConnection } from './vsphere.ts';

/** Says how the bytes of a VMware disk are reached: always an NBD export, see docs/disk-transport.md. */
export interface DiskTransport {
  open(request: {
    readonly connection: VCenterConnection;
    readonly machineMoRef: string;
    readonly snapshotMoRef: string;
    readonly disk: SnapshotDisk;
    readonly signal: AbortSignal;
  }): Promise<DiskExport>;
  /**
   * A live disk of a machine that is off and has no snapshot, for one writer. The lock is vSphere's own: it is what
   * keeps a second writer and a power-on away.
   * @throws DR_MACHINE_FILE_LOCKED while another writer or the running machine holds it
   */
  openForWriting(request: {
    readonly connection: VCenterConnection;
    readonly machineMoRef: string;
    readonly disk: Pick<SnapshotDisk, 'deviceKey' | 'capacityBytes' | 'fileName'>;
    readonly signal: AbortSignal;
  }): Promise<DiskExport>;
}

export interface DiskExport {
  readonly host: string;
  readonly port: number;
  /** Set instead of host and port for a UNIX socket. */
  readonly socketPath?: string;
  readonly exportName: string;
  /** PEM of the certificate to trust; absent: plain TCP, allowed on loopback only. */
  readonly tlsCertificate?: string;
  close(): Promise<void>;
}

/** Where disk bytes come from. Reads are sector aligned. */
export interface DiskSource {
  readonly capacityBytes: number;
  /** The longest read that pays; absent: a MiB. */
  readonly readBytes?: number | undefined;
  /** Such reads that are worth being under way together; absent: 4. */
  readonly readsAtOnce?: number | undefined;
  /** Fills `into` from `offset`. */
  read(offset: number, into: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Parts of the range that may hold data; a source without block status returns the range itself. */
  dataExtents(range: Extent, signal: AbortSignal): Promise<readonly Extent[]>;
  close(): Promise<void>;
}

/** Where disk bytes go. Offsets and lengths are sector aligned. Whoever writes holds the disk's only lock. */
export interface DiskSink extends DiskSource {
  write(offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /** The range reads as zeros afterwards. */
  zero(offset: number, length: number, signal: AbortSignal): Promise<void>;
  /** Resolves when everything written before is on stable storage. */
  flush(signal: AbortSignal): Promise<void>;
}
