/** What runs ask for their evidence. Plain JSON only. */
import type { BootLogRecord } from '../../domain/evidence/record.ts';
import type { OperationId, ProtectedItemId } from '../../domain/ids.ts';

export interface KeepBootLogsInput {
  readonly runId: OperationId;
  readonly planName: string;
  /** Of the end of each log. */
  readonly bytesMax: number;
  readonly machines: readonly { readonly itemId: ProtectedItemId; readonly vmId: string }[];
}

export interface BootLogActivities {
  /** By item id, without the text: that is kept beside the evidence. What cannot be read says why. */
  keepBootLogs(input: KeepBootLogsInput): Promise<Readonly<Record<string, BootLogRecord>>>;
}
