import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { installApplication } from '../../../lab/application.ts';
import { vcenterControls, type VCenterControls } from '../../../lab/controls.ts';
import { createVSphere, type VSphereClient } from '../../../providers/vsphere/vsphere.ts';
import { startPracticeVCenter, type PracticeVCenter } from '../../providers/vsphere/practice-vcenter.ts';
import { openStepRig, runStep, stepOf, type StepRig } from './support/steps.ts';

let practice: PracticeVCenter;
let controls: VCenterControls;
let vsphere: VSphereClient;
let rig: StepRig;

beforeAll(async () => {
  const disks = [{ mib: 4 }];
  practice = await startPracticeVCenter([{ name: 'web', poweredOn: true, disks }], { loopbackGuests: true });
  controls = vcenterControls(practice.url, practice.certificateFile);
  vsphere = createVSphere();
  rig = await openStepRig();
});
afterAll(async () => {
  await rig.close();
  await controls.client.close();
  await vsphere.close();
  await practice.stop();
});

test('a probe on premises finds the machine by what vCenter says, once it has started', async () => {
  const pages = { '/health': 'the shop is open' };
  await installApplication(controls, 'web', { name: 'shop', http: [{ port: 18_081, pages }] });
  await controls.power('web', false);
  const site = {
    address: ({ machineId }: { machineId: Awaited<ReturnType<PracticeVCenter['machineId']>> }) =>
      vsphere.session(practice.connection).guestAddress(machineId),
  };
  const machineId = await practice.machineId('web');
  const source = { vcenterId: practice.connection.id, machineId };
  const step = stepOf(
    {
      kind: 'probe',
      probe: {
        kind: 'http',
        machine: 'web',
        url: 'http://{address}:18081/health',
        status: 200,
        body: 'open',
      },
    },
    { machines: { web: { machineName: 'web', address: null, source } } },
  );
  await expect(runStep({ ...rig.ports, site }, { ...step, timeoutSeconds: 0.3 })).rejects.toMatchObject({
    code: 'DR_STEP_FAILED',
    context: { observed: expect.stringMatching(/no address of "web" is known$/) },
  });
  const probing = runStep({ ...rig.ports, site }, { ...step, timeoutSeconds: 30 });
  await controls.power('web', true);
  await expect(probing).resolves.toMatchObject({ observed: { status: 200 } });
});
