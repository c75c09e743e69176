import { expect, test } from '@jest/globals';
import { applyLagLine } from '../../cli/render/replication.ts';
import { MiB } from '../../domain/units.ts';

test('how far replicas are behind is said in bytes and time, and not while nothing is applied', () => {
  const ship = { activity: 'shipSession', attempt: 1 };
  const applied = (applyLagBytes: number, applyLagSeconds: number) =>
    applyLagLine([ship, { activity: 'applySession', attempt: 1, applyLagBytes, applyLagSeconds }]);
  expect(applied(24 * MiB, 3.2)).toBe('24 MiB, 3.2 s behind');
  expect(applied(0, 0)).toBe('all that is durable is applied');
  expect(applyLagLine([ship])).toBeUndefined();
});
