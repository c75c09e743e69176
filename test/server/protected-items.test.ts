import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { DrError } from '../../domain/errors.ts';
import { asId, type OperationId } from '../../domain/ids.ts';
import { itemOperations, type ItemOperation } from '../../domain/item-operations.ts';
import {
  machineUuid,
  sampleFailover,
  sampleItem,
  sampleJob,
  sampleMachine,
  samplePoint,
  samplePolicy,
} from '../support/samples.ts';
import type { ItemView } from '../../workflows/contracts/types.ts';
import { startServer, type RunningServer } from '../support/server.ts';

const subnetId =
  '/subscriptions/s/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/default';
const target = { location: 'westeurope', vmSize: 'Standard_D2s_v5', subnetId };

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.runbooks.calls.length = 0;
  server.runbooks.failures.clear();
  server.runbooks.onDiscover = async () => 0;
});

describe('protecting', () => {
  const machines = (list: Parameters<typeof sampleMachine>[]) =>
    server.catalogue.recordMachines(
      asId('vc'),
      list.map(([n, over]) => sampleMachine(n, over)),
      { generation: String(list[0]?.[0]), complete: false },
    );
  const protect = (machine: string, more: object = {}) =>
    server.client.call(contract.protect, { body: { machine, policy: 'gold', target, ...more } });

  beforeAll(async () => {
    await server.catalogue.createPolicy(samplePolicy);
  });

  test('a machine is found by name, and the runbook learns who asked', async () => {
    await machines([[10, { name: 'web' }]]);
    const { operationId } = await protect('web', { operationId: 'protect-web', excludedDisks: [] });
    expect(operationId).toBe('protect-web');
    const [call] = server.runbooks.calls.filter(({ name }) => name === 'protect');
    expect(call?.args[0]).toMatchObject({
      itemId: machineUuid(10),
      machineName: 'web',
      site: 'main',
      policy: samplePolicy,
      target,
      requestedBy: { principal: 'administrator' },
    });
    const job = await server.client.call(contract.getJob, { params: { id: 'protect-web' } });
    expect(job).toMatchObject({ kind: 'protect', state: 'notStarted', subject: 'web' });
  });

  test('another region than that of the recovery site is refused with both names', async () => {
    await machines([[13, { name: 'abroad' }]]);
    await expect(protect('abroad', { target: { ...target, location: 'eastus' } })).rejects.toMatchObject({
      code: 'DR_REQUEST_INVALID',
      message: expect.stringMatching(/"eastus".*"westeurope"/),
    });
    expect(server.runbooks.times('protect')).toBe(0);
  });

  test('a repeated request with the same id reaches the runbook once', async () => {
    await machines([[11, { name: 'again' }]]);
    await protect('again', { operationId: 'once' });
    await server.catalogue.recordItem(sampleItem(11));
    await protect('again', { operationId: 'once' });
    expect(server.runbooks.times('protect')).toBe(1);
  });

  test('an id that another job has is refused', async () => {
    await machines([[12, { name: 'other' }]]);
    await server.catalogue.recordJob(sampleJob('occupied', { kind: 'commit' }));
    await expect(protect('other', { operationId: 'occupied' })).rejects.toMatchObject({
      code: 'DR_REQUEST_INVALID',
    });
  });

  test('a name that several machines have asks for the id', async () => {
    await machines([
      [20, { name: 'twin' }],
      [21, { name: 'twin' }],
    ]);
    await expect(protect('twin')).rejects.toMatchObject({
      code: 'DR_MACHINE_AMBIGUOUS',
      body: { context: { count: 2, ids: `${machineUuid(20)}, ${machineUuid(21)}` } },
    });
    await expect(protect(machineUuid(20).toUpperCase())).resolves.toBeDefined();
  });

  test('what the catalogue knows against a machine is checked anew before it is refused', async () => {
    await machines([[30, { name: 'snapped', snapshotNames: ['before upgrade'] }]]);
    await expect(protect('snapped')).rejects.toMatchObject({ code: 'DR_MACHINE_FOREIGN_SNAPSHOT' });
    expect(server.runbooks.times('discover')).toBe(1);
    server.runbooks.onDiscover = async () => {
      await machines([[30, { name: 'snapped' }]]);
      return 1;
    };
    await expect(protect('snapped')).resolves.toBeDefined();
  });

  test('an unknown machine, an unknown policy and a protected machine are told apart', async () => {
    await machines([[40, { name: 'done' }]]);
    await server.catalogue.recordItem(sampleItem(40));
    await expect(protect('nobody')).rejects.toMatchObject({ code: 'DR_MACHINE_UNKNOWN', exit: 3 });
    await expect(protect('done', { policy: 'none' })).rejects.toMatchObject({ code: 'DR_POLICY_UNKNOWN' });
    await expect(protect('done')).rejects.toMatchObject({ code: 'DR_MACHINE_ALREADY_PROTECTED', exit: 4 });
    await server.catalogue.recordItem(sampleItem(40, { state: 'enablingFailed', revision: 2 }));
    await expect(protect('done')).resolves.toBeDefined();
  });

  test('a machine whose protection has ended may be protected again, not while it is ending', async () => {
    await machines([[41, { name: 'released' }]]);
    await server.catalogue.recordItem(sampleItem(41, { state: 'disabling' }));
    await expect(protect('released')).rejects.toMatchObject({ code: 'DR_MACHINE_ALREADY_PROTECTED' });
    await server.catalogue.recordItem(sampleItem(41, { state: 'disabled', revision: 2 }));
    await expect(protect('released')).resolves.toBeDefined();
  });
});

describe('protected items', () => {
  beforeAll(async () => {
    await server.catalogue.recordItem(sampleItem(1, { machineName: 'item-one' }));
    server.points.push(...[1, 3, 2].map((n) => samplePoint(n)));
  });

  test('a close-up is the workflow’s own word, with the newest recovery point', async () => {
    server.runbooks.views.set(
      machineUuid(1),
      sampleItem(1, { machineName: 'item-one', state: 'failedOver' }),
    );
    const item = await server.client.call(contract.getItem, { params: { id: 'item-one' } });
    expect(item).toMatchObject({ state: 'failedOver', observedFrom: 'workflow' });
    expect(item.latestRecoveryPoint?.pointId).toBe('p000003');
  });

  test('without Temporal a close-up is what was last recorded, and says so', async () => {
    const away = () => new DrError('DR_TEMPORAL_UNREACHABLE', { address: 'localhost:1', reason: 'refused' });
    server.runbooks.failures.set('describeItem', [away()]);
    server.runbooks.failures.set('progress', [away()]);
    const item = await server.client.call(contract.getItem, { params: { id: 'item-one' } });
    expect(item).toMatchObject({ state: 'protected', observedFrom: 'catalogue', activities: [] });
  });

  test.each([
    new DrError('DR_STORAGE_UNREACHABLE', { account: 'a', reason: 'ECONNREFUSED' }),
    new DrError('DR_STORAGE_REFUSED', { account: 'a', attempted: 'a read', reason: 'no role' }),
  ])('after $code a close-up still tells the state, and that points cannot be read', async (failure) => {
    server.runbooks.views.set(machineUuid(1), sampleItem(1, { state: 'failedOver' }));
    server.pointFailures.push(failure);
    const item = await server.client.call(contract.getItem, { params: { id: 'item-one' } });
    expect(item).toMatchObject({ state: 'failedOver', recoveryPointsProblem: { code: failure.code } });
    expect(item.latestRecoveryPoint).toBeUndefined();
    server.pointFailures.push(failure);
    const points = server.client.call(contract.listRecoveryPoints, { params: { id: 'item-one' }, query: {} });
    await expect(points).rejects.toMatchObject({ code: failure.code });
  });

  test.each([12, null])('a close-up tells the last delta of a failover: %s', async (finalBarrier) => {
    const failover = { ...sampleFailover, finalBarrier };
    server.runbooks.views.set(machineUuid(1), sampleItem(1, { state: 'disabling', failover }));
    const item = await server.client.call(contract.getItem, { params: { id: 'item-one' } });
    expect(item).toMatchObject({ state: 'disabling', failover: { finalBarrier } });
  });

  test('recovery points are listed newest first, page by page', async () => {
    const params = { id: machineUuid(1) };
    const first = await server.client.call(contract.listRecoveryPoints, { params, query: { limit: 2 } });
    expect(first.items.map((point) => point.pointId)).toEqual(['p000003', 'p000002']);
    const query = { limit: 2, cursor: first.nextCursor ?? '' };
    const second = await server.client.call(contract.listRecoveryPoints, { params, query });
    expect(second.items.map((point) => point.pointId)).toEqual(['p000001']);
    expect(second.nextCursor).toBeUndefined();
  });

  const nothing = { direct: {}, booked: {} };
  const latest = { choice: { kind: 'latest' } };
  const place = { datastore: 'fast', network: 'lan' };
  const bodies: Record<ItemOperation, { readonly direct: object; readonly booked: object }> = {
    testFailover: same({ choice: { kind: 'latestProcessed' }, subnetId }),
    cleanupTestFailover: same({ notes: 'fine' }),
    failover: same({ choice: { kind: 'custom', pointId: 'p000001' }, shutdownSource: true }),
    changeRecoveryPoint: same(latest),
    rollback: nothing,
    commit: nothing,
    completeMigration: nothing,
    reprotect: { direct: { place }, booked: { place: { alternate: place } } },
    failback: nothing,
    cancelFailback: nothing,
    reEnable: nothing,
    pause: nothing,
    resume: nothing,
    resync: nothing,
    verify: same(latest),
    updateSettings: {
      direct: { policy: 'gold', target: { zone: null } },
      booked: { policy: samplePolicy, target: { zone: null } },
    },
    addDisks: same({ deviceKeys: [2001] }),
    excludeDisks: same({ deviceKeys: [2001] }),
    disable: nothing,
    purge: nothing,
  };
  function same(body: object) {
    return { direct: body, booked: body };
  }

  test.each(itemOperations)('%s reaches the item with a new id where none was chosen', async (operation) => {
    const { direct, booked } = bodies[operation];
    const input = { params: { id: 'item-one' }, body: direct } as never;
    const { operationId } = await server.client.call(contract[operation], input);
    expect(operationId).toMatch(/^[0-9a-f-]{36}$/);
    const requestedBy = { principal: 'administrator', requestId: expect.any(String) };
    expect(server.runbooks.calls).toEqual([
      { name: operation, args: [machineUuid(1), { ...booked, operation, operationId, requestedBy }] },
    ]);
    const job = await server.client.call(contract.getJob, { params: { id: operationId } });
    expect(job).toMatchObject({ kind: operation, subject: 'item-one', state: 'notStarted' });
  });

  test('an item that only its workflow knows is found by its id', async () => {
    const id = machineUuid(77).toUpperCase();
    await server.client.call(contract.pause, { params: { id }, body: {} });
    expect(server.runbooks.calls).toMatchObject([{ name: 'pause', args: [machineUuid(77), {}] }]);
    server.runbooks.failures.set('pause', [new DrError('DR_ITEM_UNKNOWN', { item: id })]);
    const unknown = server.client.call(contract.pause, { params: { id }, body: {} });
    await expect(unknown).rejects.toMatchObject({ code: 'DR_ITEM_UNKNOWN' });
  });

  test('a zone and an availability set together are refused as a contradiction', async () => {
    const availabilitySetId = subnetId.replace(/Microsoft.*/, 'Microsoft.Compute/availabilitySets/web');
    const both = { zone: '1', availabilitySetId };
    const update = { params: { id: 'item-one' }, body: { target: both } };
    await expect(server.client.call(contract.updateSettings, update)).rejects.toMatchObject({
      code: 'DR_SETTINGS_CONFLICT',
      status: 400,
    });
    const swap = { params: { id: 'item-one' }, body: { target: { ...both, zone: null } } };
    await expect(server.client.call(contract.updateSettings, swap)).resolves.toBeDefined();
    const body = { machine: 'web', policy: 'gold', target: { ...target, ...both } };
    await expect(server.client.call(contract.protect, { body })).rejects.toMatchObject({
      code: 'DR_SETTINGS_CONFLICT',
    });
  });

  test('a refusal of the runbook keeps its code, reason and status', async () => {
    const refusal = new DrError('DR_COMMIT_BEFORE_FAILOVER', { item: 'item-one', state: 'protected' });
    server.runbooks.failures.set('commit', [refusal]);
    const failure = server.client.call(contract.commit, { params: { id: 'item-one' }, body: {} });
    await expect(failure).rejects.toMatchObject({ status: 409, code: 'DR_COMMIT_BEFORE_FAILOVER', exit: 4 });
    const ended = new DrError('DR_ITEM_UNKNOWN', { item: 'x' });
    server.runbooks.failures.set('commit', [ended]);
    const late = server.client.call(contract.commit, { params: { id: 'item-one' }, body: {} });
    await expect(late).rejects.toMatchObject({ code: 'DR_OPERATION_REFUSED' });
  });

  test('a check answers every problem with 200, and says what would be done', async () => {
    server.runbooks.views.set(machineUuid(1), sampleItem(1, { machineName: 'item-one' }));
    const problem = { code: 'DR_MASTER_TARGET_MISSING', message: 'm', remedy: 'r' } as const;
    server.runbooks.problems = [problem];
    const body = { operation: 'reprotect', place } as const;
    const answer = await server.client.call(contract.checkItem, { params: { id: 'item-one' }, body });
    expect(answer).toEqual({ problems: [problem], checkedAt: '2026-11-21T10:00:00.000Z' });
    const [call] = server.runbooks.calls.filter(({ name }) => name === 'check');
    expect(call?.args[0]).toMatchObject({
      view: { machineName: 'item-one', state: 'protected' },
      request: { operation: 'reprotect', place: { alternate: place } },
    });
  });

  test('only operations with prerequisites can be checked', async () => {
    const body = { operation: 'commit' } as never;
    const failure = server.client.call(contract.checkItem, { params: { id: 'item-one' }, body });
    await expect(failure).rejects.toMatchObject({ code: 'DR_REQUEST_INVALID' });
  });

  test('the way home is told by where it leads, nothing of its inside', async () => {
    const home = {
      generation: 2,
      home: { machineId: asId(machineUuid(9)), isOriginal: false },
      stream: asId(machineUuid(8)),
    } as unknown as NonNullable<ItemView['home']>;
    const runId = asId<OperationId>('d');
    const last = { runId, endedAt: '2026-11-20T10:00:00.000Z', clean: true, notes: '' };
    const view = sampleItem(1, {
      state: 'protectedReverse',
      direction: 'reverse',
      home,
      drill: { state: 'none', last },
    });
    server.runbooks.views.set(machineUuid(1), view);
    const item = await server.client.call(contract.getItem, { params: { id: 'item-one' } });
    expect(item).toMatchObject({ direction: 'reverse', paused: false, drill: { last } });
    expect(item.home).toEqual({ generation: 2, machineId: machineUuid(9), isOriginal: false });
    const reprotect = item.allowedOperations.find(({ operation }) => operation === 'reprotect');
    expect(reprotect).toMatchObject({ allowed: false, reason: expect.any(String) });
    const update = item.allowedOperations.find(({ operation }) => operation === 'updateSettings');
    expect(update?.input?.map(({ name }) => name)).toEqual(['policy', 'target', 'priority']);
  });
});
