import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { readPlan } from '../../api/plan-text.ts';
import { asId } from '../../domain/ids.ts';
import { resolveMembers } from '../../server/plan-members.ts';
import { machineUuid, sampleItem, sampleMachine, sampleSpec } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const head = (name: string) => `apiVersion: switchback/v1\nkind: RecoveryPlan\nname: ${name}\n`;
const SHOP = `${head('shop')}groups:
  - name: db
    members: [{ tag: tier/db }]
  - name: rest
    after: db
    members: [{ folder: /dc/vm/shop }, { machine: ledger }]
`;

const apply = (name: string, text: string) =>
  server.client.call(contract.applyPlan, { params: { name }, body: { text } });

describe('a stored plan', () => {
  test('has the hash of its text, who applied it, and what it changes', async () => {
    const text = `${head('kept')}groups: [{ name: a, members: [{ machine: m }] }]\n`;
    const sha256 = createHash('sha256').update(text).digest('hex');
    expect(await apply('kept', text)).toMatchObject({
      outcome: 'created',
      version: 1,
      sha256,
      author: 'administrator',
      changes: [],
    });
    expect(await apply('kept', text)).toMatchObject({ outcome: 'unchanged', version: 1, changes: [] });
    expect(await apply('kept', text.replace('machine: m', 'machine: n'))).toMatchObject({
      outcome: 'changed',
      version: 2,
      changes: [
        { change: 'removed', part: 'member', name: 'm', place: 'group a' },
        { change: 'added', part: 'member', name: 'n', place: 'group a' },
      ],
    });
    const get = (version?: number) =>
      server.client.call(contract.getPlan, {
        params: { name: 'kept' },
        query: version === undefined ? {} : { version },
      });
    expect(await get()).toMatchObject({ version: 2 });
    const read = readPlan(text);
    expect(await get(1)).toMatchObject({ version: 1, sha256, text, ...read });
    const { items } = await server.client.call(contract.listPlanVersions, {
      params: { name: 'kept' },
      query: {},
    });
    expect(items.map(({ version }) => version)).toEqual([2, 1]);
  });

  test('may be as long as a document may be', async () => {
    const comment = `# ${'"'.repeat(900_000)}\n`;
    const text = `${comment}${head('long')}groups: [{ name: a, members: [{ machine: m }] }]\n`;
    expect(await apply('long', text)).toMatchObject({ version: 1 });
    const plan = await server.client.call(contract.getPlan, { params: { name: 'long' }, query: {} });
    expect(plan.text).toBe(text);
  });

  test('that is not valid is refused with line and column of every problem', async () => {
    const refused = apply('odd', `${head('odd')}groups: []\nonbusy: queue\n`);
    await expect(refused).rejects.toMatchObject({ code: 'DR_PLAN_INVALID', status: 422 });
    const error = (await refused.catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toContain('odd:4:1: groups must be at least 1 entries long');
    expect(error.message).toContain('odd:5:1: onbusy is no field');
  });

  test.each([
    [
      'a name that is not the path',
      `${head('other')}groups: [{ name: a, members: [{ machine: m }] }]\n`,
      'DR_REQUEST_INVALID',
    ],
    ['a zero character', `${head('bad')}# \0\n`, 'DR_REQUEST_INVALID'],
    [
      'an escape that no database keeps',
      `${head('bad')}description: "a\\u0000"\ngroups: [{ name: a, members: [{ machine: m }] }]\n`,
      'DR_PLAN_INVALID',
    ],
  ])('with %s is refused', async (_, text, code) => {
    await expect(apply('bad', text)).rejects.toMatchObject({ code });
  });

  test('that does not exist is told so, and so is a version', async () => {
    const params = { name: 'nobody' };
    const unknown = { code: 'DR_PLAN_UNKNOWN', status: 404 };
    const { client } = server;
    await expect(client.call(contract.getPlan, { params, query: {} })).rejects.toMatchObject(unknown);
    await expect(client.call(contract.getPlan, { params, query: { version: 3 } })).rejects.toMatchObject(
      unknown,
    );
    await expect(client.call(contract.listPlanVersions, { params, query: {} })).rejects.toMatchObject(
      unknown,
    );
    await expect(client.call(contract.getPlanMembers, { params })).rejects.toMatchObject(unknown);
    await apply('one', `${head('one')}groups: [{ name: a, members: [{ machine: m }] }]\n`);
    const version = client.call(contract.getPlan, { params: { name: 'one' }, query: { version: 7 } });
    await expect(version).rejects.toMatchObject({ code: 'DR_PLAN_VERSION_UNKNOWN', status: 404 });
  });
});

describe('members of a plan', () => {
  const vcenterId = asId<ReturnType<typeof sampleMachine>['vcenterId']>('vc');

  beforeAll(async () => {
    await apply('shop', SHOP);
    await server.catalogue.recordMachines(
      vcenterId,
      [
        sampleMachine(1, { name: 'db', tags: ['tier/db'], folder: '/dc/vm/data' }),
        sampleMachine(2, { name: 'app', tags: [], folder: '/dc/vm/shop/app' }),
        sampleMachine(3, { name: 'stray', tags: ['tier/db'], folder: '/dc/vm' }),
        // What the ledger came home as.
        sampleMachine(5, { name: 'ledger-new', tags: [], folder: '/dc/vm' }),
      ],
      { generation: 'a', complete: true },
    );
    await server.catalogue.recordItem(sampleItem(1, { machineName: 'db', spec: sampleSpec(1) }));
    await server.catalogue.recordItem(
      sampleItem(2, { machineName: 'app', spec: sampleSpec(2), state: 'failedOver' }),
    );
    await server.catalogue.recordItem(
      sampleItem(4, { machineName: 'ledger', spec: sampleSpec(4, { machineId: asId(machineUuid(5)) }) }),
    );
  });

  test('are protected machines, wherever they run now; what is left over has drifted', async () => {
    const shown = await server.client.call(contract.getPlanMembers, { params: { name: 'shop' } });
    expect(shown).toMatchObject({
      name: 'shop',
      version: 1,
      groups: [
        { group: 'db', members: [{ name: 'db', machineId: machineUuid(1) }] },
        {
          group: 'rest',
          members: [
            { name: 'app', machineId: machineUuid(2) },
            { name: 'ledger', machineId: machineUuid(5), itemId: machineUuid(4) },
          ],
        },
      ],
      problems: [{ group: 'db', selector: 'tag tier/db', reason: 'machine "stray" is not protected' }],
      drift: [{ name: 'stray', tags: ['tier/db'], folder: '/dc/vm' }],
    });
  });

  test('of a run have item, site, region, size and subnet; one that is still being enabled stands in its way', async () => {
    const plan = (await server.catalogue.plan('shop'))?.plan;
    if (plan === undefined) throw new Error('no plan');
    const site = {
      site: 'main',
      location: 'westeurope',
      vmSize: 'Standard_D2s_v5',
      subnetId: '/subscriptions/s',
    };
    const { members } = await resolveMembers(server.catalogue, plan);
    expect(members).toMatchObject([
      { itemId: machineUuid(1), machineName: 'db', group: 'db', ...site },
      { itemId: machineUuid(2), machineName: 'app', group: 'rest', ...site },
      { itemId: machineUuid(4), machineName: 'ledger', group: 'rest', ...site },
    ]);
    await server.catalogue.recordItem(
      sampleItem(1, { machineName: 'db', state: 'enablingProtection', revision: 2 }),
    );
    const later = await resolveMembers(server.catalogue, plan);
    expect(later.members.map(({ machineName }) => machineName)).toEqual(['app', 'ledger']);
    expect(later.problems.map(({ reason }) => reason)).toContain(
      'protection of machine "db" is still being enabled',
    );
  });

  test('that vCenter lists no more stay members by their folder; unknown tags are told', async () => {
    await server.catalogue.recordItem(sampleItem(1, { machineName: 'db', spec: sampleSpec(1), revision: 3 }));
    await server.catalogue.recordMachines(vcenterId, [], { generation: 'b', complete: true });
    await server.catalogue.recordItem(sampleItem(9, { machineName: 'secret', spec: sampleSpec(9) }));
    const { groups, problems } = await server.client.call(contract.getPlanMembers, {
      params: { name: 'shop' },
    });
    expect(groups.flatMap(({ members }) => members.map(({ name }) => name))).toEqual(['db', 'app', 'ledger']);
    expect(problems.map(({ selector }) => selector)).toEqual(['tag tier/db', 'folder /dc/vm/shop']);
    expect(problems[0]?.reason).toContain('"secret" is not known');
  });
});
