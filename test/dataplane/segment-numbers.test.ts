import { expect, test } from '@jest/globals';
import { ItemKey } from '../../dataplane/keys.ts';
import { HEADER_BYTES } from '../../dataplane/segment/layout.ts';
import { readSegment } from '../../dataplane/segment/reader.ts';
import { expectedOf, sealSegment } from './support/forge-segment.ts';
import { makeSegment } from './support/segments.ts';

const key = new ItemKey(Buffer.alloc(32, 1));

test.each([
  ['epoch', 32, 2n ** 64n - 1n],
  ['first sequence number', 40, 2n ** 32n],
])(
  'a sealed header with an %s that no nonce can hold is refused, not met with a crash',
  (_title, at, value) => {
    const { bytes, expected } = makeSegment(key, [{ kind: 'zero', offset: 0, length: 512 }]);
    const plain = Buffer.concat([bytes.subarray(0, HEADER_BYTES), Buffer.alloc(32)]);
    plain.writeBigUInt64LE(value, at);
    const forged = sealSegment(plain, key);
    expect(() => [...readSegment(forged, expectedOf(forged, expected))]).toThrow(
      expect.objectContaining({
        code: 'DR_SEGMENT_CORRUPT',
        message: expect.stringContaining('the header is altered'),
      }),
    );
  },
);
