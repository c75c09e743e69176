import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { VCenterSession } from '../../../domain/ports.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { codeOf, type PracticeVCenter, startPracticeVCenter } from './practice-vcenter.ts';

let practice: PracticeVCenter;
let vsphere: VSphereClient;
let vcenter: VCenterSession;
beforeAll(async () => {
  practice = await startPracticeVCenter([{ name: 'web', poweredOn: true }]);
  vsphere = createVSphere();
  vcenter = vsphere.session(practice.connection);
});
afterEach(async () => {
  await practice.lab('DELETE', 'faults');
  await practice.lab('POST', 'delays', { methods: {} });
  await practice.lab('POST', 'power', { machine: 'web', state: 'poweredOn' });
});
afterAll(async () => {
  await vsphere.close();
  await practice.stop();
});

const quietly = () => undefined;

test('the address of a guest is known while it runs', async () => {
  const id = await practice.machineId('web');
  expect(await vcenter.guestAddress(id)).toMatch(/^10\.20\.\d+\.\d+$/);
  await practice.lab('POST', 'power', { machine: 'web', state: 'poweredOff' });
  expect(await vcenter.guestAddress(id)).toBeNull();
});

describe('powering off', () => {
  test('lets the guest shut down, and is seen to be off', async () => {
    const id = await practice.machineId('web');
    let progress = 0;
    expect(await vcenter.powerOff(id, 60, () => (progress += 1))).toBe('guestShutdown');
    expect(await vcenter.powerState(id)).toBe('poweredOff');
    expect(progress).toBeGreaterThan(0);
  });

  test('a machine that is off already does nothing', async () => {
    const id = await practice.machineId('web');
    await practice.lab('POST', 'power', { machine: 'web', state: 'poweredOff' });
    await practice.lab('POST', 'faults', { method: 'PowerOffVM_Task', faultType: 'NotSupported' });
    await practice.lab('POST', 'faults', { method: 'ShutdownGuest', faultType: 'NotSupported' });
    expect(await vcenter.powerOff(id, 60, quietly)).toBe('alreadyOff');
  });

  test.each([
    [
      'whose guest cannot be asked',
      60,
      { faults: { method: 'ShutdownGuest', faultType: 'ToolsUnavailable' } },
    ],
    ['whose guest does not react in time', 1, { delays: { methods: { ShutdownGuest_Task: 60_000 } } }],
    ['without grace', 0, { faults: { method: 'ShutdownGuest', faultType: 'NotSupported' } }],
  ])('a machine %s cuts the power', async (_which, graceSeconds, trouble) => {
    const id = await practice.machineId('web');
    for (const [path, body] of Object.entries(trouble)) await practice.lab('POST', path, body);
    expect(await vcenter.powerOff(id, graceSeconds, quietly)).toBe('poweredOff');
    expect(await vcenter.powerState(id)).toBe('poweredOff');
  });

  test('a machine that somebody else turns off meanwhile succeeds', async () => {
    const id = await practice.machineId('web');
    await practice.lab('POST', 'faults', { method: 'ShutdownGuest', faultType: 'ToolsUnavailable' });
    await practice.lab('POST', 'faults', { method: 'PowerOffVM_Task', faultType: 'InvalidPowerState' });
    const off = vcenter.powerOff(id, 60, () => {
      void practice.lab('POST', 'power', { machine: 'web', state: 'poweredOff' });
    });
    expect(await off).toBe('poweredOff');
  });

  test('ends in DR_VCENTER_TASK_FAILED when vCenter’s task fails, and the machine stays on', async () => {
    const id = await practice.machineId('web');
    const rule = { method: 'PowerOffVM_Task', faultType: 'HostNotConnected', taskError: true };
    await practice.lab('POST', 'faults', rule);
    expect(await codeOf(vcenter.powerOff(id, 0, quietly))).toBe('DR_VCENTER_TASK_FAILED');
    expect(await vcenter.powerState(id)).toBe('poweredOn');
  });

  test('survives a session that is lost while the guest shuts down', async () => {
    const id = await practice.machineId('web');
    await practice.lab('POST', 'delays', { methods: { ShutdownGuest_Task: 700 } });
    let calls = 0;
    const off = vcenter.powerOff(id, 60, () => {
      calls += 1;
      if (calls === 1) void practice.lab('POST', 'sessions/kill');
    });
    expect(await off).toBe('guestShutdown');
  });
});
