/** Disk transport over a disk export service beside vCenter: it accepts vCenter's session and answers with an NBD address. */
import { z } from 'zod';
import { DrError } from '../../../domain/errors.ts';
import type { DiskExport, DiskTransport, SnapshotDisk, VCenterConnection } from '../../../domain/ports.ts';
import type { VSphereClient } from '../vsphere.ts';

const EXPORTS_PATH = '/disk-export/v1/exports';

const exportSchema = z.object({
  id: z.string().min(1),
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  exportName: z.string(),
});

const refusalSchema = z.object({ error: z.string() });

interface Wanted {
  readonly connection: VCenterConnection;
  readonly machineMoRef: string;
  readonly disk: Pick<SnapshotDisk, 'deviceKey' | 'fileName'>;
  readonly signal: AbortSignal;
}

/** `vsphere` lends its session, so that the service sees one login per process. Closing an export twice is fine. */
export function createExportServiceTransport(vsphere: VSphereClient): DiskTransport {
  async function request(
    { connection, machineMoRef, disk, signal }: Wanted,
    what: object,
  ): Promise<DiskExport> {
    const session = vsphere.vimSession(connection);
    const body = { machine: machineMoRef, deviceKey: disk.deviceKey, ...what };
    const answer = await session.requestJson({ method: 'POST', path: EXPORTS_PATH, body, signal });
    const granted = exportSchema.safeParse(answer.body);
    if (answer.status === 409) throw locked(machineMoRef, disk.fileName, answer.body);
    if (answer.status !== 201 || !granted.success) {
      throw refused(connection.url, answer.status, `export disk ${disk.deviceKey} of ${machineMoRef}`);
    }
    const { id, host, port, exportName } = granted.data;
    const close = async () => {
      const path = `${EXPORTS_PATH}/${encodeURIComponent(id)}`;
      const { status } = await session.requestJson({ method: 'DELETE', path });
      if (status >= 300 && status !== 404) throw refused(connection.url, status, `end export ${id}`);
    };
    return { host, port, exportName, close };
  }

  return {
    open: (wanted) => request(wanted, { snapshot: wanted.snapshotMoRef, mode: 'read' }),
    openForWriting: (wanted) => request(wanted, { snapshot: null, mode: 'write' }),
  };
}

function locked(machine: string, disk: string, answer: unknown): DrError {
  const reason = refusalSchema.safeParse(answer).data?.error ?? 'the disk export service gave no reason';
  return new DrError('DR_MACHINE_FILE_LOCKED', { machine, disk, reason });
}

function refused(url: string, status: number, attempted: string): DrError {
  return status >= 500
    ? new DrError('DR_VCENTER_UNREACHABLE', {
        url,
        reason: `the disk export service answered HTTP ${status}`,
      })
    : new DrError('DR_VCENTER_TASK_FAILED', {
        attempted,
        fault: `the disk export service answered HTTP ${status}`,
      });
}
