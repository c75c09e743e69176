/** Makes segments without a spool, for tests of the format alone. */
import type { ItemKey } from '../../../dataplane/keys.ts';
import type { ExpectedSegment } from '../../../dataplane/segment/reader.ts';
import { UnitBuffer } from '../../../dataplane/segment/unit.ts';
import { SegmentWriter } from '../../../dataplane/segment/writer.ts';
import { asId } from '../../../domain/ids.ts';
import type { DiskId, ProtectedItemId } from '../../../domain/ids.ts';
import { CHAIN_START } from '../../../domain/replication.ts';
import type { ChainTail } from '../../../domain/replication.ts';

export const ITEM = asId<ProtectedItemId>('564d0000-aaaa-bbbb-cccc-000000000001');
export const DISK = asId<DiskId>('00112233445566778899aabbccddeeff');

export type Input =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'zero'; readonly offset: number; readonly length: number };

export function makeSegment(
  key: ItemKey,
  records: readonly Input[],
  options: { readonly tail?: ChainTail; readonly epoch?: number; readonly capacityBytes?: number } = {},
): { readonly bytes: Buffer; readonly expected: ExpectedSegment } {
  const { tail = CHAIN_START, epoch = 7, capacityBytes = 2 ** 40 } = options;
  const writer = new SegmentWriter({ diskId: DISK, epoch, tail, key });
  const unit = new UnitBuffer();
  const parts = [writer.header];
  const seal = () => {
    parts.push(writer.seal(unit));
    unit.clear();
  };
  for (const record of records) {
    const length = record.kind === 'write' ? record.data.length : record.length;
    for (let done = 0; done < length;) {
      const taken =
        record.kind === 'write'
          ? unit.addWrite(record.offset + done, record.data.subarray(done))
          : unit.addZero(record.offset + done, length - done);
      if (taken === 0) seal();
      done += taken;
    }
  }
  if (!unit.isEmpty) seal();
  const { trailer, ref } = writer.finish();
  const bytes = Buffer.concat([...parts, trailer]);
  const blob = `journal/${DISK}/0000000000000007/000000000001.seg`;
  return {
    bytes,
    expected: { item: ITEM, diskId: DISK, capacityBytes, ref: { blob, ...ref }, tail, key },
  };
}
