/** What an operator can get wrong, or meet broken, through the real CLI: one clear error each, and nothing changed. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../config/load.ts';
import { asId, type ProtectedItemId, type RunId } from '../../domain/ids.ts';
import { GiB, MiB } from '../../domain/units.ts';
import { cloud, vaultStorage } from '../../workers/ports.ts';
import { startPractice, type Practice } from '../support/harness.ts';
import { seededRandom } from '../support/random.ts';
import { Flow, SIZE } from './support/flow.ts';

const MINUTES_MS = 120_000;
const HUGE_MIB = (9_000 * GiB) / MiB;

let practice: Practice;
let flow: Flow;

beforeAll(async () => {
  const { seed } = seededRandom('bad input');
  const small = { mib: 16, filesystem: 'ext4', seed } as const;
  practice = await startPractice({
    seed,
    machines: [
      { name: 'plain-01', poweredOn: true, disks: [small] },
      { name: 'other-01', poweredOn: true, disks: [small] },
      { name: 'independent-01', poweredOn: true, disks: [{ mib: 16, mode: 'independent_persistent' }] },
      { name: 'rdm-01', poweredOn: true, disks: [{ mib: 16, backing: 'rdmPhysical' }] },
      { name: 'huge-01', poweredOn: true, disks: [{ mib: HUGE_MIB }] },
      { name: 'snapshotted-01', poweredOn: true, disks: [small], snapshots: ['before-upgrade'] },
    ],
  });
  flow = new Flow(practice, 'plain-01');
}, 400_000);
afterAll(() => practice?.stop(), 60_000);

interface Told {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** The command is refused: this exit code, this code, a remedy, and a message that names the value. */
async function refused(args: readonly string[], exit: number, code: string, names: string): Promise<void> {
  const { exitCode, stderr } = await practice.switchback([...args, '--output', 'json']);
  const told = JSON.parse(stderr.trim().split('\n').at(-1) ?? '{}') as Told;
  expect({ exitCode, code: told.code }).toEqual({ exitCode: exit, code });
  expect(told.message).toContain(names);
  expect(told.remedy).not.toBe('');
}

const protectArgs = (machine: string, size = SIZE) => {
  const { arm, productionSubnetId } = practice.lab.addresses;
  const target = ['--location', arm.location, '--size', size, '--subnet', productionSubnetId];
  return ['item', 'protect', machine, '--policy', 'quick', ...target];
};

/** Starts an operation that is accepted and whose job fails with this code. */
async function jobFails(code: string, names: string, ...args: string[]): Promise<void> {
  await flow.itemIs('the slot to be free', (item) => item.running === undefined);
  const job = await flow.pauses(await flow.start(...args));
  expect({ state: job.state, code: job.error?.code }).toEqual({ state: 'failed', code });
  expect(job.error?.message).toContain(names);
  expect(job.error?.remedy).not.toMatch(/\{\w+\}/);
  const item = await flow.itemIs('the slot to be free', (each) => each.running === undefined);
  expect({ state: item.state, drill: item.drill.state }).toEqual({ state: 'protected', drill: 'none' });
  expect(await practice.resourcesOfRuns()).toEqual([]);
}

const configuration = () => loadConfig({ file: practice.lab.paths.configuration, env: {}, flags: {} });

/** A neighbour in the same subnet, made through Azure's own API. */
async function occupyAddress(privateIpAddress: string): Promise<void> {
  const { addresses } = practice.lab;
  const azure = await cloud(await configuration());
  const scope = {
    runId: asId<RunId>('neighbour'),
    itemId: asId<ProtectedItemId>('neighbour'),
    mode: 'real',
    resourceGroup: 'neighbour',
    location: addresses.arm.location,
  } as const;
  await azure.ensureResourceGroup(scope);
  const subnetId = addresses.productionSubnetId;
  const begun = await azure.beginNic(scope, { name: 'neighbour-nic', subnetId, privateIpAddress });
  await azure.awaitNic(begun, () => {}, AbortSignal.timeout(MINUTES_MS));
}

describe('a vCenter', () => {
  it('with a wrong password is refused and not registered', async () => {
    const { url, username } = practice.lab.addresses.vcenter;
    const passwordFile = join(practice.lab.paths.folder, 'wrong.password');
    await writeFile(passwordFile, 'not-the-password\n', { mode: 0o600 });
    const args = ['vcenter', 'add', 'practice', '--url', url, '--username', username];
    await refused([...args, '--password-file', passwordFile, '--yes'], 5, 'DR_VCENTER_CREDENTIALS', username);
    expect((await flow.must('vcenter', 'list')).json).toEqual([]);
    const { json: jobs } = await flow.must('job', 'list');
    expect(jobs).toMatchObject([
      {
        kind: 'addVCenter',
        subject: 'practice',
        state: 'failed',
        error: { code: 'DR_VCENTER_CREDENTIALS' },
        tasks: [
          { id: 'certificate', state: 'succeeded' },
          { id: 'discover', state: 'failed' },
        ],
      },
    ]);
  });

  it('with another certificate than the confirmed one is refused', async () => {
    const { url, username, passwordFile } = practice.lab.addresses.vcenter;
    const fingerprint = Array.from({ length: 32 }, () => 'AB').join(':');
    const args = ['vcenter', 'add', 'practice', '--url', url, '--username', username];
    await refused(
      [...args, '--password-file', passwordFile, '--fingerprint', fingerprint],
      5,
      'DR_VCENTER_CERTIFICATE_CHANGED',
      fingerprint,
    );
  });

  it(
    'that does not answer is out of reach',
    async () => {
      const args = ['vcenter', 'add', 'gone', '--url', 'https://127.0.0.1:1', '--username', 'u', '--yes'];
      const { passwordFile } = practice.lab.addresses.vcenter;
      await refused([...args, '--password-file', passwordFile], 6, 'DR_VCENTER_UNREACHABLE', '127.0.0.1:1');
    },
    MINUTES_MS,
  );
});

describe('a machine', () => {
  beforeAll(async () => {
    await flow.addVCenter();
    await flow.must('policy', 'create', 'quick', '--interval', '2s', '--retention', '1h');
  }, MINUTES_MS);

  it.each([
    ['no-such-01', 3, 'DR_MACHINE_UNKNOWN', 'no-such-01'],
    ['independent-01', 4, 'DR_MACHINE_DISK_INDEPENDENT', 'independent_persistent'],
    ['rdm-01', 4, 'DR_MACHINE_DISK_RDM', 'rdm-01'],
    ['huge-01', 8, 'DR_MACHINE_DISK_TOO_LARGE', '9000 GiB'],
    ['snapshotted-01', 4, 'DR_MACHINE_FOREIGN_SNAPSHOT', 'before-upgrade'],
  ] as const)('%s cannot be protected, and the reason is named', async (machine, exit, code, names) => {
    await refused(protectArgs(machine), exit, code, names);
    expect((await flow.must('item', 'list')).json).toEqual([]);
  });

  it('is not protected under a policy that is out of range or unknown', async () => {
    const eightYears = ['policy', 'create', 'long', '--interval', '5m', '--retention', '2920d'];
    await refused(eightYears, 2, 'DR_POLICY_OUT_OF_RANGE', '70080');
    const args = protectArgs('plain-01').map((arg) => (arg === 'quick' ? 'no-such-policy' : arg));
    await refused(args, 3, 'DR_POLICY_UNKNOWN', 'no-such-policy');
  });

  it(
    'cannot be protected twice',
    async () => {
      await flow.succeeds(await flow.protect('quick'));
      await refused(protectArgs('plain-01'), 4, 'DR_MACHINE_ALREADY_PROTECTED', 'plain-01');
    },
    MINUTES_MS,
  );
});

describe('an operation', () => {
  it(
    'commit before failover is refused, naming the state',
    async () => {
      await flow.itemIs('the item to be protected', (item) => item.state === 'protected');
      await refused(['item', 'commit', 'plain-01', '--yes'], 4, 'DR_COMMIT_BEFORE_FAILOVER', 'protected');
    },
    MINUTES_MS,
  );

  it('on an item or job that does not exist is refused', async () => {
    await refused(['item', 'commit', 'no-such-01', '--yes'], 3, 'DR_ITEM_UNKNOWN', 'no-such-01');
    const job = randomUUID();
    await refused(['job', 'show', job], 3, 'DR_JOB_UNKNOWN', job);
  });

  it(
    'with a recovery point that does not exist fails and leaves nothing',
    async () => {
      const { isolatedSubnetId } = practice.lab.addresses;
      const drill = ['item', 'test-failover', 'plain-01', '--subnet', isolatedSubnetId, '--point', 'p999999'];
      await jobFails('DR_POINT_UNKNOWN', 'p999999', ...drill);
    },
    MINUTES_MS,
  );

  it(
    'drilled in a network that is not isolated is stopped by its prerequisites',
    async () => {
      const { productionSubnetId } = practice.lab.addresses;
      const drill = ['item', 'test-failover', 'plain-01', '--subnet', productionSubnetId];
      await jobFails('DR_AZURE_NETWORK_NOT_ISOLATED', 'production', ...drill);
    },
    MINUTES_MS,
  );

  it(
    'beyond the quota is stopped before the source is touched',
    async () => {
      await practice.lab.azure.client.post('/_lab/settings', { quotas: { cores: 1 } });
      await jobFails('DR_AZURE_QUOTA', 'cores', 'item', 'failover', 'plain-01', '--yes');
      expect((await practice.lab.guest.machine('plain-01')).powerState).toBe('poweredOn');
      await practice.lab.azure.client.post('/_lab/settings', { quotas: { cores: 100 } });
    },
    MINUTES_MS,
  );

  it(
    'with a VM size that does not exist and an address that is taken reports both',
    async () => {
      const other = new Flow(practice, 'other-01');
      const taken = '10.10.1.9';
      await occupyAddress(taken);
      const job = await other.start(...protectArgs('other-01', 'Standard_No_Such'), '--private-ip', taken);
      await other.succeeds(job);
      await other.itemIs('the slot to be free', (item) => item.running === undefined);
      const failed = await other.pauses(await other.start('item', 'failover', 'other-01', '--yes'));
      expect(failed.error?.code).toBe('DR_PREFLIGHT_FAILED');
      expect(failed.error?.message).toContain('DR_AZURE_SIZE_UNAVAILABLE');
      expect(failed.error?.message).toContain('DR_AZURE_ADDRESS_TAKEN');
      expect(failed.error?.message).toContain(taken);
    },
    MINUTES_MS,
  );
});

describe('ending protection', () => {
  it(
    'leaves nothing of the item in the storage account, and the machine can be protected again',
    async () => {
      const other = new Flow(practice, 'other-01');
      await other.itemIs('the slot to be free', (item) => item.running === undefined);
      const storage = await vaultStorage(await configuration());
      const { itemId } = await other.item();
      const blobs = async () =>
        (await Array.fromAsync(storage.list(''))).filter(({ name }) => name.includes(itemId));
      expect(await blobs()).not.toEqual([]);
      await other.succeeds(await other.start('item', 'disable', 'other-01', '--yes'));
      expect(await blobs()).toEqual([]);
      expect(await practice.snapshotsOf('other-01')).toEqual([]);
      await other.succeeds(await other.protect('quick'));
      expect(await other.points()).not.toEqual([]);
    },
    MINUTES_MS,
  );
});

describe('a part that fails', () => {
  it(
    'tags that cannot be read: machines are discovered all the same, with the tags from before',
    async () => {
      const { guest } = practice.lab;
      const found = async () => {
        const { stdout, stderr } = await flow.must('machine', 'list', '--refresh', '--name', 'plain-01');
        return { machines: JSON.parse(stdout) as object[], stderr };
      };
      await guest.setTags('plain-01', ['tier/web']);
      const tagged = { name: 'plain-01', folder: '/DC0/vm', tags: ['tier/web'] };
      expect(await found()).toMatchObject({ machines: [tagged], stderr: '' });
      await guest.setTagging(403);
      const refused = await found();
      expect(refused.machines).toMatchObject([tagged]);
      expect(refused.stderr).toContain('HTTP 403');
      await guest.setTagging(0);
    },
    MINUTES_MS,
  );

  it(
    'Temporal down: commands say so at once',
    async () => {
      const { temporal } = practice.lab;
      temporal.kill('SIGKILL');
      await temporal.exited;
      const drill = [
        'item',
        'test-failover',
        'plain-01',
        '--subnet',
        practice.lab.addresses.isolatedSubnetId,
      ];
      await refused(drill, 6, 'DR_TEMPORAL_UNREACHABLE', 'Temporal');
      await practice.lab.restartTemporal();
    },
    MINUTES_MS,
  );

  it(
    'a changed certificate makes health critical, naming both fingerprints, and sends no password',
    async () => {
      await practice.lab.guest.client.post('/_lab/certificate/rotate', {});
      await practice.killRole('process-server');
      const item = await flow.itemIs('health to be critical', (each) => each.health === 'critical');
      const [condition] = item.conditions;
      expect(condition?.type).toContain('DR_VCENTER_CERTIFICATE_CHANGED');
      expect(condition?.reason.match(/(?:[0-9A-F]{2}:){31}[0-9A-F]{2}/g)).toHaveLength(2);
      expect(item.state).toBe('protected');
    },
    MINUTES_MS,
  );
});
