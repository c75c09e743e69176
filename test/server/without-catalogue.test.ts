import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { hasPostgres, startPostgres, type PostgresCluster } from '../support/postgres.ts';
import { machineUuid, sampleItem, samplePolicy } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';

if (await hasPostgres()) {
  let postgres: PostgresCluster;
  let server: RunningServer;
  beforeAll(async () => {
    postgres = await startPostgres();
    server = await startServer({ catalogueUrl: await postgres.createDatabase('switchback_away') });
    await server.catalogue.createPolicy(samplePolicy);
    await server.catalogue.recordItem(sampleItem(1, { machineName: 'app' }));
    server.runbooks.views.set(machineUuid(1), sampleItem(1, { machineName: 'app' }));
    await postgres.stop();
  });
  afterAll(() => server.close());

  const params = { id: machineUuid(1) };

  test('an operation on an item id is started, and repeated under its id, while the catalogue is away', async () => {
    const body = { choice: { kind: 'latest' }, shutdownSource: true, operationId: 'night' } as const;
    for (let times = 0; times < 2; times += 1) {
      expect(await server.client.call(contract.failover, { params, body })).toEqual({ operationId: 'night' });
    }
    const failovers = server.runbooks.calls.filter(({ name }) => name === 'failover');
    expect(failovers).toMatchObject([
      { args: [machineUuid(1), { operationId: 'night' }] },
      { args: [machineUuid(1), { operationId: 'night' }] },
    ]);
    expect(server.logged.join('')).toContain('could not be noted in the catalogue');
  });

  test('its close-up is told by its workflow, and what would stand in the way is checked', async () => {
    const item = await server.client.call(contract.getItem, { params });
    expect(item).toMatchObject({ machineName: 'app', observedFrom: 'workflow' });
    const body = { operation: 'failback' } as const;
    await expect(server.client.call(contract.checkItem, { params, body })).resolves.toMatchObject({
      problems: [],
    });
  });

  test('a name, and whatever else needs the catalogue, says that it is away', async () => {
    const away = { code: 'DR_CATALOGUE_UNREACHABLE', status: 503 };
    const byName = server.client.call(contract.pause, { params: { id: 'app' }, body: {} });
    await expect(byName).rejects.toMatchObject(away);
    const policy = server.client.call(contract.updateSettings, { params, body: { policy: 'gold' } });
    await expect(policy).rejects.toMatchObject(away);
  });
} else {
  test('PostgreSQL is not installed: its absence cannot be played here', () => {
    expect(process.env['SWITCHBACK_TEST_POSTGRES_URL']).toBeUndefined();
  });
}
