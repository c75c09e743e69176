/** How far a verification is: disk after disk, each telling its percent. */
import type { OnProgress } from '../../domain/ports.ts';
import type { ReplicationProgress } from '../../domain/replication.ts';

/** Call it when a disk begins; what it answers takes the percent of that disk. */
export function verifyMeter(
  barrierNumber: number,
  diskBytes: readonly number[],
  onProgress: (progress: ReplicationProgress) => void,
): (capacityBytes: number) => OnProgress {
  const startedAt = new Date().toISOString();
  const totalBytes = diskBytes.reduce((sum, bytes) => sum + bytes, 0);
  let begun = 0;
  return (capacityBytes) => {
    const start = begun;
    begun += capacityBytes;
    return (percent = 0) => {
      const doneBytes = start + Math.floor((capacityBytes * percent) / 100);
      onProgress({
        phase: 'verify',
        barrierNumber,
        startedAt,
        at: new Date().toISOString(),
        totalBytes,
        doneBytes,
        readBytes: doneBytes,
        wireBytes: 0,
      });
    };
  };
}
