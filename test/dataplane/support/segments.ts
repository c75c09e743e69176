/** Makes segments without a spool, for tests of the format alone. */
import { randomBytes } from 'node:crypto';
import type { ItemKey } from '../../../dataplane/keys.ts';
import type { ExpectedSegment } from '../../../dataplane/segment/reader.ts';
import { SALT_BYTES } from '../../../dataplane/segment/layout.ts';
import { packUnit } from '../../../dataplane/segment/pack-unit.ts';
import { sealSegment, sealedUnit } from '../../../dataplane/segment/seal-segment.ts';
import type { UnitToSeal } from '../../../dataplane/segment/seal-segment.ts';
import { UnitBuffer } from '../../../dataplane/segment/unit.ts';
import { sharedMemory, unitSlabs } from '../../../dataplane/threads/slabs.ts';
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
  const units: UnitToSeal[] = [];
  let unit = newUnit();
  const pack = () => {
    const payload = unit.finish();
    const slab = sharedMemory(unit.slab);
    units.push({ ...payload, slab, ...packUnit({ ...payload, slab, level: 1, isDoubtful: false }) });
    unit = newUnit();
  };
  for (const record of records) {
    const length = record.kind === 'write' ? record.data.length : record.length;
    for (let done = 0; done < length;) {
      const taken =
        record.kind === 'write'
          ? unit.addWrite(record.offset + done, record.data.subarray(done))
          : unit.addZero(record.offset + done, length - done);
      if (taken === 0) pack();
      done += taken;
    }
  }
  pack();
  const salt = randomBytes(SALT_BYTES);
  const { header, trailer, ...sealed } = sealSegment({
    header: { diskId: DISK, epoch, firstSeq: tail.nextSeq, salt, prevHash: tail.hash, keyId: key.id },
    key: key.segmentKey(DISK, salt),
    units,
  });
  const bytes = Buffer.concat([header, ...units.map(sealedUnit), trailer]);
  const ref = { ...sealed, firstSeq: tail.nextSeq };
  const blob = `journal/${DISK}/0000000000000007/000000000001.seg`;
  return {
    bytes,
    expected: { item: ITEM, diskId: DISK, capacityBytes, ref: { blob, ...ref }, tail, key },
  };
}

/** Of its own: these are never given back. */
function newUnit(): UnitBuffer {
  return new UnitBuffer(Buffer.from(new SharedArrayBuffer(unitSlabs.bytes)));
}
