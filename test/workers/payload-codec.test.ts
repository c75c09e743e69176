import { expect, test } from '@jest/globals';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { MiB } from '../../domain/units.ts';
import { payloadCodec } from '../../workers/payload-codec.ts';

const payloadOf = (value: unknown) => defaultPayloadConverter.toPayload<unknown>(value);
const through = async (payload: Payload) => payloadCodec.decode(await payloadCodec.encode([payload]));

test('what is small stays as it is, readable in every tool', async () => {
  const payload = payloadOf({ itemId: 'item-1' });
  expect(await payloadCodec.encode([payload])).toEqual([payload]);
});

test('what 5,000 machines leave comes back as it was, and fits into a payload meanwhile', async () => {
  const members = Array.from({ length: 5_000 }, (_, index) => ({
    machineName: `machine-${index}`,
    itemId: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    outcome: 'succeeded',
    detail: 'protected, at 10.1.2.3, job 11111111-1111-4111-8111-111111111111-0-m-1',
    digest: { firmware: 'efi', 'disk 1': '64 GiB', size: 'Standard_D2s_v5', region: 'westeurope' },
  }));
  const payload = payloadOf(members);
  const [encoded] = await payloadCodec.encode([payload]);
  expect(payload.data?.length).toBeGreaterThan(MiB);
  expect(encoded?.data?.length).toBeLessThan(2 * MiB);
  const [decoded] = await through(payload);
  expect(decoded && defaultPayloadConverter.fromPayload(decoded)).toEqual(members);
});

test('what is damaged is refused, not taken for something else', async () => {
  const [encoded] = await payloadCodec.encode([payloadOf('x'.repeat(MiB))]);
  const damaged = { ...encoded, data: encoded?.data?.subarray(0, 100) ?? null };
  await expect(payloadCodec.decode([damaged])).rejects.toThrow('does not unfold');
});
