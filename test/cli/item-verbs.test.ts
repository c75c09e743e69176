import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { errorCatalogue } from '../../domain/errors.ts';
import { itemOperations } from '../../domain/item-operations.ts';
import type { ItemState } from '../../domain/item-states.ts';
import { machineUuid, sampleItem, sampleJob, samplePolicy } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';
import { operatorOf, runCli } from './run.ts';

const subnetId =
  '/subscriptions/s/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/default';

let server: RunningServer;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startServer();
  env = operatorOf(server);
  await server.catalogue.createPolicy(samplePolicy);
  await server.catalogue.recordItem(sampleItem(3, { machineName: 'app' }));
});
afterAll(() => server.close());
beforeEach(() => {
  server.runbooks.calls.length = 0;
  server.runbooks.failures.clear();
  server.runbooks.problems = [];
  server.runbooks.onAccepted = async () => undefined;
  inState('protected');
});

const cli = (line: string, options: Parameters<typeof runCli>[1] = {}) =>
  runCli(line.replace('SUBNET', subnetId).split(' '), { ...options, env: { ...env, ...options.env } });

function inState(state: ItemState, over: Parameters<typeof sampleItem>[1] = {}): void {
  server.runbooks.views.set(machineUuid(3), sampleItem(3, { machineName: 'app', state, ...over }));
}

const started = () =>
  server.runbooks.calls.filter(({ name }) => name !== 'describeItem' && name !== 'progress');

const latest = { choice: { kind: 'latest' } };
const target = (changes: object) => ({ target: changes });

const lines: readonly (readonly [line: string, operation: (typeof itemOperations)[number], input: object])[] =
  [
    ['test-failover app --subnet SUBNET', 'testFailover', { choice: { kind: 'latestProcessed' }, subnetId }],
    ['cleanup app --notes fine', 'cleanupTestFailover', { notes: 'fine' }],
    ['failover app --yes', 'failover', { ...latest, shutdownSource: true }],
    [
      'failover app --point p000007 --no-shutdown-source --yes',
      'failover',
      { choice: { kind: 'custom', pointId: 'p000007' }, shutdownSource: false },
    ],
    ['change-point app --point latest --yes', 'changeRecoveryPoint', latest],
    ['rollback app --yes', 'rollback', {}],
    ['commit app --yes', 'commit', {}],
    ['complete-migration app --yes', 'completeMigration', {}],
    ['reprotect app --yes', 'reprotect', { place: {} }],
    [
      'reprotect app --datastore fast --network lan --name app-home --yes',
      'reprotect',
      { place: { alternate: { datastore: 'fast', network: 'lan', name: 'app-home' } } },
    ],
    ['failback app --yes', 'failback', {}],
    ['cancel-failback app --yes', 'cancelFailback', {}],
    ['re-enable app', 'reEnable', {}],
    ['pause app', 'pause', {}],
    ['resume app', 'resume', {}],
    ['resync app', 'resync', {}],
    ['verify app', 'verify', { choice: { kind: 'latest' } }],
    ['verify app --point p000007', 'verify', { choice: { kind: 'custom', pointId: 'p000007' } }],
    ['update app --policy gold', 'updateSettings', { policy: samplePolicy }],
    ['update app --priority high', 'updateSettings', { priority: 'high' }],
    [
      'update app --size Standard_D4s_v5 --ip 10.0.0.9 --disk-type Premium_LRS --zone 1 --unset availability-set',
      'updateSettings',
      target({
        vmSize: 'Standard_D4s_v5',
        privateIpAddress: '10.0.0.9',
        diskType: 'Premium_LRS',
        zone: '1',
        availabilitySetId: null,
      }),
    ],
    [
      'update app --any-ip --resource-group recovered --tag a=1 --tag b=x=y',
      'updateSettings',
      target({ privateIpAddress: null, resourceGroup: 'recovered', tags: { a: '1', b: 'x=y' } }),
    ],
    ['add-disk app --disk 2001 2002', 'addDisks', { deviceKeys: [2001, 2002] }],
    ['exclude-disk app --disk 2001 --disk 2002 --yes', 'excludeDisks', { deviceKeys: [2001, 2002] }],
    ['disable app --yes', 'disable', {}],
    ['purge app --yes', 'purge', {}],
  ];

describe('operations', () => {
  test('every operation of the table has a verb', () => {
    expect(new Set(lines.map(([, operation]) => operation))).toEqual(new Set(itemOperations));
  });

  test.each(lines)('item %s starts %s', async (line, operation, input) => {
    const ran = await cli(`item ${line} --output json`);
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    const { operationId } = JSON.parse(ran.stdout) as { operationId: string };
    const requestedBy = { principal: 'administrator', requestId: expect.any(String) };
    expect(started()).toEqual([
      { name: operation, args: [machineUuid(3), { ...input, operation, operationId, requestedBy }] },
    ]);
  });

  test.each([
    ['update app', 2, 'must change something'],
    ['update app --ip 10.0.0.9 --any-ip', 2, '--ip and --any-ip'],
    ['update app --zone 1 --availability-set SET', 2, 'zone or in an availability set, not in both'],
    ['update app --policy none', 3, 'no replication policy "none"'],
    ['update app --tag switchback-run=x', 2, 'do not begin with switchback-'],
    ['reprotect app --datastore fast --yes', 2, 'both --datastore and --network'],
    ['add-disk app', 2, '--disk'],
    ['change-point app --yes', 2, '--point'],
  ])('item %s is refused before anything starts', async (line, exit, said) => {
    const set = subnetId.replace(/Microsoft.*/, 'Microsoft.Compute/availabilitySets/web');
    const ran = await cli(`item ${line.replace('SET', set)}`);
    expect(ran.exit).toBe(exit);
    expect(ran.stderr).toContain(said);
    expect(started()).toEqual([]);
  });

  test('disable --wait watches the job to its end', async () => {
    server.runbooks.onAccepted = async (operationId) => {
      const job = sampleJob(operationId, { kind: 'disable', subject: 'app', state: 'succeeded' });
      await server.catalogue.recordJob({ ...job, revision: 3 });
    };
    const ran = await cli('item disable app --yes --wait');
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    expect(ran.stdout).toContain('disable of app succeeded');
  });
});

describe('confirming', () => {
  const cases: readonly (readonly [string, string, ItemState, readonly string[]])[] = [
    ['failover app', 'failover', 'protected', ['starts in Azure', 'Its source is shut down']],
    [
      'failover app --no-shutdown-source',
      'failover',
      'protected',
      ['what it writes from now on is lost', 'can be rolled back'],
    ],
    [
      'disable app',
      'disable',
      'protected',
      [
        'Kept: the machine where it runs',
        'Deleted: recovery points, replicas, journal and data key',
        'snapshots of Switchback on the source',
      ],
    ],
    ['disable app', 'disable', 'protectedReverse', ['Deleted: the journal of the way home']],
    ['commit app', 'commit', 'failedOver', ['All other recovery points are deleted']],
    ['commit app', 'commit', 'failedBack', ['The Azure machine and its disks are removed']],
    ['rollback app', 'rollback', 'failedOver', ['everything written there since the failover']],
    ['reprotect app', 'reprotect', 'committed', ['The disks of the machine on premises are overwritten']],
    [
      'reprotect app --datastore d --network n',
      'reprotect',
      'committed',
      ['A new machine is made on premises; the old one stays'],
    ],
    ['cancel-failback app', 'cancelFailback', 'failedBack', ['what it wrote since the failback is lost']],
  ];

  test.each(cases)('item %s (%s, %s) says what will happen and wants the name typed', async (...given) => {
    const [line, operation, state, said] = given;
    const isHome = state === 'failedBack' || state === 'protectedReverse';
    inState(state, { direction: isHome ? 'reverse' : 'forward' });
    const refused = await cli(`item ${line}`, { typed: 'web' });
    expect(refused).toMatchObject({ exit: 2, stdout: '' });
    expect(refused.stderr).toContain('was not confirmed');
    expect(server.runbooks.times(operation)).toBe(0);

    const confirmed = await cli(`item ${line}`, { typed: 'app' });
    expect(confirmed.exit).toBe(0);
    const question = confirmed.stderr.indexOf('Type its name to go on');
    for (const part of said) {
      expect(confirmed.stderr).toContain(part);
      expect(confirmed.stderr.indexOf(part)).toBeLessThan(question);
    }
    expect(server.runbooks.times(operation)).toBe(1);
  });

  test('what the item would refuse anyway is not asked for', async () => {
    const ran = await cli('item commit app', { typed: 'app' });
    expect(ran.exit).toBe(4);
    expect(ran.stderr).toContain('the machine runs on premises and is protected');
    expect(ran.stderr).not.toContain('Type its name');
    expect(started()).toEqual([]);
  });

  test.each(['failover', 'disable', 'exclude-disk --disk 2001'])(
    'item %s is refused where nobody can be asked and --yes was not given',
    async (verb) => {
      const ran = await cli(`item ${verb} app --output json`.replace('--disk 2001 app', 'app --disk 2001'));
      expect(ran).toMatchObject({ exit: 2, stdout: '' });
      expect(JSON.parse(ran.stderr)).toMatchObject({ code: 'DR_REQUEST_INVALID' });
      expect(ran.stderr).toContain('pass --yes');
      expect(started()).toEqual([]);
    },
  );
});

describe('check', () => {
  test.each([
    ['', { operation: 'failover', ...latest, shutdownSource: true }],
    ['--operation test-failover --subnet SUBNET', { operation: 'testFailover', subnetId }],
    [
      '--operation reprotect --datastore d --network n',
      { operation: 'reprotect', place: { alternate: { datastore: 'd', network: 'n' } } },
    ],
    ['--operation failback', { operation: 'failback' }],
  ])('item check app %s asks the runbook and starts nothing', async (options, request) => {
    const ran = await cli(`item check app ${options}`.trim());
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    expect(ran.stdout).toContain(`Nothing stands in the way`);
    expect(started()).toMatchObject([{ name: 'check', args: [{ view: { machineName: 'app' }, request }] }]);
  });

  test('every problem is told with its remedy, and the exit code says that there are some', async () => {
    const problem = (code: 'DR_AZURE_QUOTA' | 'DR_SOURCE_RUNS') => ({
      code,
      message: `about ${code}`,
      remedy: `mend ${code}`,
    });
    server.runbooks.problems = [problem('DR_AZURE_QUOTA'), problem('DR_SOURCE_RUNS')];
    const ran = await cli('item check app --operation failback');
    expect(ran.exit).toBe(errorCatalogue.DR_PREFLIGHT_FAILED.exit);
    expect(ran.stdout).toContain('2 problems stand in the way of failback');
    expect(ran.stdout).toContain(
      '✗ about DR_AZURE_QUOTA (DR_AZURE_QUOTA)\n    What to do: mend DR_AZURE_QUOTA',
    );
    const json = await cli('item check app --operation failback --output json');
    expect(JSON.parse(json.stdout)).toMatchObject({ problems: [{ code: 'DR_AZURE_QUOTA' }, {}] });
  });
});

describe('show', () => {
  test('tells the way home, a pause and whether the last drill was clean', async () => {
    inState('protectedReverse', {
      activeLocation: 'azure',
      direction: 'reverse',
      paused: true,
      drill: {
        state: 'none',
        last: {
          runId: sampleJob('d').id,
          endedAt: '2026-11-20T10:00:00.000Z',
          clean: false,
          notes: 'no DNS',
        },
      },
    });
    const { stdout } = await cli('item show app');
    expect(stdout).toMatch(/Direction +home, paused/);
    expect(stdout).toMatch(/Last drill +not clean, ended 2026-11-20 10:00:00 UTC: no DNS/);
    expect(stdout).toContain('✓ failback');
  });
});
