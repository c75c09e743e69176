import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import { asId, type ProtectedItemId } from '../../domain/ids.ts';
import { ensureServerTls } from '../../server/tls.ts';
import { machineUuid, sampleItem, sampleMachine, samplePoint, samplePolicy } from '../support/samples.ts';
import { certificate, startServer, type RunningServer } from '../support/server.ts';
import { operatorOf, runCli } from './run.ts';

const subnetId =
  '/subscriptions/s/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/default';

let server: RunningServer;
let env: Record<string, string>;
let folder: string;

beforeAll(async () => {
  server = await startServer();
  env = operatorOf(server);
  folder = await mkdtemp(join(tmpdir(), 'switchback-cli-'));
  await server.catalogue.createPolicy(samplePolicy);
  await server.catalogue.recordMachines(
    asId('vc'),
    [sampleMachine(1, { name: 'web' }), sampleMachine(2, { name: 'db', snapshotNames: ['mine'] })],
    { generation: 'a', complete: true },
  );
  await server.catalogue.recordItem(sampleItem(3, { machineName: 'app' }));
  server.runbooks.views.set(machineUuid(3), sampleItem(3, { machineName: 'app' }));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  server.runbooks.calls.length = 0;
  server.runbooks.failures.clear();
  server.runbooks.activities = [];
  server.runbooks.onAccepted = async () => undefined;
});

const cli = (line: string, options: Parameters<typeof runCli>[1] = {}) =>
  runCli(line.split(' '), { ...options, env: { ...env, ...options.env } });

describe('connection', () => {
  test('a server of another authority is not spoken to, and exit code 5 says so', async () => {
    const other = await ensureServerTls({ folder: join(folder, 'other'), hosts: ['127.0.0.1'] });
    await writeFile(join(folder, 'other.pem'), other.authority);
    const ran = await cli(`item list --ca-file ${folder}/other.pem`);
    expect(ran).toMatchObject({ exit: 5, stdout: '' });
    expect(ran.stderr).toContain('DR_SERVER_CERTIFICATE');
  });

  test('a server that is not there ends with exit code 6', async () => {
    const ran = await cli('item list --server https://127.0.0.1:1');
    expect(ran.exit).toBe(6);
    expect(ran.stderr).toContain('ECONNREFUSED');
  });

  test('a wrong token ends with exit code 5, remedy and request id', async () => {
    await writeFile(join(folder, 'token'), `sb_000000000000_${'x'.repeat(43)}\n`);
    const ran = await cli(`item list --token-file ${folder}/token`);
    expect(ran.exit).toBe(5);
    expect(ran.stderr).toMatch(/What to do: .*--token-file/);
    expect(ran.stderr).toMatch(/DR_REQUEST_UNAUTHENTICATED · request [0-9a-f-]{36}/);
  });

  test('the profile file says what options and environment do not', async () => {
    const profile = join(folder, 'profile.json');
    await writeFile(
      profile,
      JSON.stringify({
        server: env['SWITCHBACK_SERVER'],
        tokenFile: env['SWITCHBACK_TOKEN_FILE'],
        caFile: env['SWITCHBACK_CA_FILE'],
      }),
    );
    const known = await runCli(['item', 'list'], { env: { SWITCHBACK_PROFILE: profile } });
    expect(known).toMatchObject({ exit: 0, stderr: '' });
    const unknown = await runCli(['item', 'list']);
    expect(unknown.exit).toBe(2);
    expect(unknown.stderr).toContain('--server, --token-file, --ca-file missing');
  });
});

describe('errors', () => {
  test.each([
    ['bogus', 2],
    ['item protect', 2],
    ['job list --state odd', 2],
    ['policy create p --interval soon', 2],
    ['item show nobody', 3],
    ['job show nothing', 3],
    ['item protect app-none --policy gold --location westeurope --size S2 --subnet x', 2],
    [`item protect db --policy gold --location westeurope --size S2 --subnet ${subnetId}`, 4],
  ])('switchback %s ends with its class of exit code', async (line, exit) => {
    const ran = await cli(line);
    expect(ran.exit).toBe(exit);
    expect(ran.stderr).not.toBe('');
    expect(ran.stderr).not.toMatch(/\n\s+at /);
  });

  test('with --output json an error is one JSON object', async () => {
    const ran = await cli('item show nobody --output json');
    expect(JSON.parse(ran.stderr)).toMatchObject({ code: 'DR_ITEM_UNKNOWN', requestId: expect.any(String) });
  });
});

describe('vcenter', () => {
  test('add with a confirmed fingerprint sends the password from the environment and never shows it', async () => {
    const ran = await cli(
      `vcenter add berlin --url https://vc.example.com --username dr --fingerprint ${certificate.sha256}`,
      { env: { SWITCHBACK_VCENTER_PASSWORD: 'hunter2' } },
    );
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    expect(ran.stdout).not.toContain('hunter2');
    expect(server.connections.get('berlin')?.password.reveal()).toBe('hunter2');
    expect((await cli('vcenter list')).stdout).toMatch(/berlin +https:\/\/vc\.example\.com +dr/);
  });

  test('without a terminal, fingerprint or --yes the first contact is refused before anything is sent', async () => {
    const ran = await cli('vcenter add munich --url https://vc.example.com --username dr', {
      env: { SWITCHBACK_VCENTER_PASSWORD: 'hunter2' },
    });
    expect(ran.exit).toBe(2);
    expect(server.runbooks.calls).toEqual([]);
  });

  test('--yes trusts what is shown now; a password file may end with a line break', async () => {
    await writeFile(join(folder, 'password'), 'from file\n');
    const ran = await cli(
      `vcenter add hamburg --url https://vc2.example.com --username dr --yes --password-file ${folder}/password`,
    );
    expect(ran.exit).toBe(0);
    expect(server.connections.get('hamburg')?.password.reveal()).toBe('from file');
  });
});

describe('lists', () => {
  test('machines tell what keeps them from being protected; --refresh discovers first', async () => {
    const ran = await cli('machine list --vcenter vc');
    expect(ran.stdout).toMatch(/web .*possible/);
    expect(ran.stdout).toMatch(/db .*not possible: .*snapshots/);
    await server.catalogue.saveVCenter({
      name: 'vc',
      url: 'https://x.example.com',
      username: 'u',
      certificateSha256: 'A',
      addedAt: new Date(),
    });
    await cli('machine list --vcenter vc --refresh');
    expect(server.runbooks.times('discover')).toBe(1);
  });

  test('json output is the API’s own shape', async () => {
    const machines = JSON.parse((await cli('machine list --vcenter vc --output json')).stdout) as object[];
    expect(machines).toMatchObject([{ name: 'db' }, { name: 'web', id: machineUuid(1) }]);
  });

  test('a policy is created from durations and listed', async () => {
    const ran = await cli('policy create fast --interval 2m --retention 36h --rpo-threshold 10m');
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    const listed = JSON.parse((await cli('policy list --output json')).stdout) as object[];
    expect(listed).toContainEqual({
      name: 'fast',
      intervalSeconds: 120,
      retentionHours: 36,
      rpoThresholdSeconds: 600,
      failback: { intervalSeconds: 300, rpoThresholdSeconds: 900 },
    });
  });

  test('a policy takes application consistency, a window for resync and an interval for the way home', async () => {
    const ran = await cli(
      'policy create whole --app-consistent 4h --auto-resync 22-4 --failback-interval 10m --output json',
    );
    expect(JSON.parse(ran.stdout)).toMatchObject({
      appConsistentHours: 4,
      autoResync: { fromHour: 22, toHour: 4 },
      failback: { intervalSeconds: 600, rpoThresholdSeconds: 1_200 },
    });
    expect((await cli('policy list')).stdout).toMatch(
      /whole .*every 4 h +22-4 UTC +every 10 min, warning after 20 min/,
    );
  });

  test('an empty list says what to do next', async () => {
    expect((await cli('job list --item app')).stdout).toContain('There is no job');
    expect((await cli('item points app')).stdout).toContain('no recovery point yet');
  });
});

describe('item', () => {
  test('show tells state, health, RPO and every operation with its reason', async () => {
    server.points.push(
      samplePoint(7, {
        itemId: asId(machineUuid(3)),
        sourceTime: new Date(Date.now() - 42_000).toISOString(),
      }),
    );
    const { stdout } = await cli('item show app');
    expect(stdout).toMatch(/State +protected/);
    expect(stdout).toMatch(/Direction +to Azure/);
    expect(stdout).toMatch(/Health +normal/);
    expect(stdout).toMatch(/RPO now +4\d s/);
    expect(stdout).toContain('✓ test-failover');
    expect(stdout).toContain('✗ cleanup: there is no test failover to clean up');
    expect((await cli('item points app')).stdout).toContain('p000007');
  });

  test('points are listed to their end, five hundred in one answer', async () => {
    await server.catalogue.recordItem(sampleItem(5, { machineName: 'long-lived' }));
    const itemId = asId<ProtectedItemId>(machineUuid(5));
    server.points.push(...Array.from({ length: 501 }, (_, n) => samplePoint(n + 1, { itemId })));
    const { stdout } = await cli('item points long-lived --output json');
    expect(JSON.parse(stdout)).toHaveLength(501);
    expect(server.pointReads.filter((read) => read === itemId)).toHaveLength(2);
  });

  test('show goes without recovery points that cannot be read', async () => {
    const away = new DrError('DR_STORAGE_UNREACHABLE', { account: 'vault', reason: 'ECONNREFUSED' });
    server.pointFailures.push(away);
    const { exit, stdout } = await cli('item show app');
    expect(exit).toBe(0);
    expect(stdout).toMatch(/Newest point +cannot be read now: Storage account vault does not answer/);
  });

  test('protect passes machine, target and excluded disks, and answers with the job to watch', async () => {
    const ran = await cli(
      `item protect web --policy gold --location westeurope --size Standard_D2s_v5 --subnet ${subnetId} --private-ip 10.0.0.9 --disk-type Premium_LRS --zone 2 --tag owner=pay --tag tier=1 --physical --exclude-disk 2001 --exclude-disk 2002 --operation-id cli-protect`,
    );
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    expect(ran.stdout).toContain('switchback job watch cli-protect');
    expect(server.runbooks.calls[0]?.args[0]).toMatchObject({
      machineName: 'web',
      excludedDisks: [2001, 2002],
      physical: true,
      target: {
        privateIpAddress: '10.0.0.9',
        vmSize: 'Standard_D2s_v5',
        diskType: 'Premium_LRS',
        zone: '2',
        tags: { owner: 'pay', tier: '1' },
      },
    });
  });
});
