import { Secret, type CloudGuests } from '../../../domain/ports.ts';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { encodeApplication } from '../../../lab/application.ts';
import { waitFor } from '../../../lab/wait.ts';
import { createBootLogActivities } from '../../../activities/evidence/boot-logs.ts';
import { asId, type OperationId, type ProtectedItemId } from '../../../domain/ids.ts';
import { createVaultStorage, ensureContainer } from '../../../providers/azure/storage/vault-storage.ts';
import { startAzurite } from '../../providers/azure/support/azurite.ts';
import { inActivity } from '../support/in-activity.ts';
import { createCloudGuests } from '../../../providers/azure/cloud/guests.ts';
import { createAzureCredential } from '../../../providers/azure/credential.ts';
import type { StepInput } from '../../../workflows/contracts/plan.ts';
import { makeMachine, type Made } from '../../lab-arm/support/machine.ts';
import { makeVhd, quick, startRig, type Rig } from '../../lab-arm/support/rig.ts';
import { openStepRig, runStep, stepOf, type StepRig } from './support/steps.ts';

const GROUP = 'answering';
const application = {
  name: 'shop',
  tcp: [15_432],
  http: [{ port: 18_080, pages: { '/health': 'the shop is open' } }],
  agent: true,
};
let rig: Rig;
let steps: StepRig;
let made: Made;
let address: string;
let inAzure: CloudGuests;

beforeAll(async () => {
  rig = await startRig({ loopbackNetworks: true });
  const vhd = await makeVhd(rig, 'os.vhd', 4, [{ offset: 0, bytes: encodeApplication(application) }]);
  made = await makeMachine(rig, { group: GROUP, vhds: [vhd.url] });
  const nic = await rig.clients.network.networkInterfaces.get(GROUP, 'vm-nic');
  address = nic.ipConfigurations?.[0]?.privateIPAddress ?? '';
  const { subscriptionId, tenantId, clientId, clientSecretFile, url } = rig.facts;
  const opened = await openStepRig();
  inAzure = createCloudGuests({
    subscriptionId,
    credential: createAzureCredential({
      kind: 'clientSecret',
      tenantId,
      clientId,
      secret: new Secret((await readFile(clientSecretFile, 'utf8')).trim()),
      authorityHost: url,
      tlsCa: rig.ca,
    }),
    endpoint: url,
    tlsCa: rig.ca,
    pollIntervalMs: 20,
  });
  steps = { ...opened, ports: { ...opened.ports, guests: inAzure } };
});
afterAll(async () => {
  await steps.close();
  await rig.close();
});

function run(action: StepInput['action'], over: Partial<StepInput> = {}) {
  const machines = { web: { machineName: 'web', address, vmId: made.vmId } };
  return runStep(steps.ports, stepOf(action, { machines, timeoutSeconds: 20, ...over }));
}

const health = (body: string) =>
  ({
    kind: 'probe',
    probe: { kind: 'http', machine: 'web', url: 'http://{address}:18080/health', status: 200, body },
  }) as const;
const script = (...lines: string[]) => ({ kind: 'runCommand', machine: 'web', script: lines }) as const;
const bootLog = (pattern: string) =>
  ({ kind: 'probe', probe: { kind: 'bootLog', machine: 'web', pattern } }) as const;

describe('a practice machine', () => {
  test('answers from its disk while it runs, and on no address but its own', async () => {
    expect(address).toMatch(/^127\./);
    await expect(run(health('the shop is open'))).resolves.toMatchObject({ observed: { status: 200 } });
    const tcp = { kind: 'probe', probe: { kind: 'tcp', machine: 'web', port: 15_432 } } as const;
    await expect(run(tcp)).resolves.toBeDefined();
    const { virtualMachines } = rig.clients.compute;
    await virtualMachines.deallocate(GROUP, made.vm, quick);
    await expect(run(health('the shop is open'), { timeoutSeconds: 0.2 })).rejects.toMatchObject({
      code: 'DR_STEP_FAILED',
      context: { observed: expect.stringMatching(/refused$/) },
    });
    await virtualMachines.start(GROUP, made.vm, quick);
    await expect(run(health('the shop is open'))).resolves.toBeDefined();
  });

  test('answers again after its Azure was killed', async () => {
    await rig.killAndRestart();
    await expect(run(health('the shop is open'))).resolves.toBeDefined();
  });
});

describe('a boot log probe', () => {
  test('finds a line of the serial console', async () => {
    await expect(run(bootLog('^application shop is (ready|up)$'))).resolves.toMatchObject({
      detail: 'application shop is ready',
    });
  });

  test('that finds none tells the last line', async () => {
    await expect(run(bootLog('kernel panic'), { timeoutSeconds: 0.3 })).rejects.toMatchObject({
      code: 'DR_STEP_FAILED',
      context: { observed: expect.stringMatching(/the last is: application shop is ready$/) },
    });
  });

  test('takes no pattern that could run for ever', async () => {
    await expect(run(bootLog('(a+)+$'), { timeoutSeconds: 0.3 })).rejects.toMatchObject({
      code: 'DR_STEP_FAILED',
    });
    await expect(run(bootLog('(a)\\1'))).rejects.toMatchObject({ code: 'DR_STEP_REFUSED' });
  });
});

describe('a run command', () => {
  test('is run once, whoever asks how it went', async () => {
    const slow = script('echo started', 'sleep 0.3', 'echo done');
    const running = run(slow);
    await waitFor(async () => (await puts()) === 1, { what: 'the script', withinMs: 5_000, everyMs: 10 });
    const again = await run(slow);
    expect(again).toMatchObject({ detail: 'exit code 0', observed: { output: 'started\ndone\n' } });
    await expect(running).resolves.toEqual(again);
    await expect(run(slow)).resolves.toEqual(again);
    expect(await puts()).toBe(1);
  });

  test('that failed is run again by the next try', async () => {
    const step = { stepName: 'failing' };
    const failure = {
      code: 'DR_STEP_FAILED',
      context: { observed: 'Failed with exit code 7: before the end' },
    };
    const failing = script('echo before the end', 'exit 7');
    const before = await puts();
    await expect(run(failing, step)).rejects.toMatchObject(failure);
    await expect(run(failing, step)).rejects.toMatchObject(failure);
    expect(await puts()).toBe(before + 2);
    await expect(run(script('echo mended'), step)).resolves.toMatchObject({
      observed: { output: 'mended\n' },
    });
  });

  test('leaves nothing of ended runs on the machine', async () => {
    await run(script('echo later'), { runId: 'run-2' as StepInput['runId'] });
    const left: (string | undefined)[] = [];
    const commands = rig.clients.compute.virtualMachineRunCommands;
    for await (const { tags } of commands.listByVirtualMachine(GROUP, made.vm)) {
      left.push(tags?.['switchback-step-run']);
    }
    expect(left).toEqual(['run-2']);
  });

  test('of a machine on premises, or from a worker without Azure, is refused', async () => {
    const machines = { web: { machineName: 'web', address } };
    await expect(run(script('echo x'), { machines })).rejects.toMatchObject({
      code: 'DR_STEP_REFUSED',
      context: { reason: '"web" does not run in Azure' },
    });
    steps = { ...steps, ports: { ...steps.ports, guests: null } };
    await expect(run(script('echo x'))).rejects.toMatchObject({
      code: 'DR_STEP_REFUSED',
      context: { reason: 'this worker has no credentials of Azure' },
    });
  });
});

async function puts(): Promise<number> {
  const requests = await rig.lab<{ method: string; path: string }[]>('GET', '/requests?since=0');
  return requests.filter(({ method, path }) => method === 'PUT' && path.includes('/runCommands/')).length;
}

test('the end of the boot log is kept once beside the evidence, and a machine that is not there says so', async () => {
  await using stack = new AsyncDisposableStack();
  const azurite = await startAzurite();
  stack.defer(() => azurite.stop());
  await ensureContainer(azurite.storage('logs'));
  const storage = createVaultStorage(azurite.storage('logs'));
  const logs = createBootLogActivities({ guests: inAzure, storage });
  const machines = [
    { itemId: asId<ProtectedItemId>('item-web'), vmId: made.vmId },
    { itemId: asId<ProtectedItemId>('item-gone'), vmId: made.vmId.replace(/[^/]+$/, 'gone') },
  ];
  const input = { runId: asId<OperationId>('run-1'), planName: 'shop', bytesMax: 40, machines };
  const kept = await inActivity(() => logs.keepBootLogs(input));
  expect(kept).toMatchObject({
    'item-web': { bytes: 40, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    'item-gone': { problem: expect.any(String) },
  });
  const blob = await storage.get('evidence/shop/run-1/item-web.log');
  expect(blob?.body.byteLength).toBe(40);
  const again = await inActivity(() => logs.keepBootLogs({ ...input, bytesMax: 20 }));
  expect(again['item-web']?.sha256).toBe(kept['item-web']?.sha256);
});
