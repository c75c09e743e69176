import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readPlan } from '../../api/plan-text.ts';
import { asId, type PolicyId, type ProtectedItemId, type VCenterId } from '../../domain/ids.ts';
import { Secret } from '../../domain/ports.ts';
import type { Catalogue } from '../../server/catalogue/catalogue.ts';
import { migrations } from '../../server/catalogue/migrations.ts';
import { openCatalogue } from '../../server/catalogue/open.ts';
import { hasPostgres, startPostgres, type PostgresCluster } from '../support/postgres.ts';
import { pastJobsContract } from './support/past-jobs.ts';
import { machineUuid, sampleItem, sampleJob, sampleMachine, samplePolicy } from '../support/samples.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-catalogue-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Reopen = () => Promise<Catalogue>;

/** What every catalogue promises, wherever its bytes lie. */
function catalogueContract(place: () => Promise<Reopen>): void {
  let reopen: Reopen;
  let catalogue: Catalogue;

  beforeAll(async () => {
    reopen = await place();
    catalogue = await reopen();
  });
  afterAll(() => catalogue.close());

  test('an older revision of an item or a job never replaces a newer one', async () => {
    await catalogue.recordItem(sampleItem(1, { revision: 5, state: 'failedOver' }));
    await catalogue.recordItem(sampleItem(1, { revision: 4, state: 'protected' }));
    expect((await catalogue.itemsNamed(machineUuid(1)))[0]?.state).toBe('failedOver');
    await catalogue.recordItem(sampleItem(1, { revision: 6, state: 'committed' }));
    expect((await catalogue.itemsNamed('machine-0001'))[0]?.state).toBe('committed');

    await catalogue.recordJob(sampleJob('guarded', { revision: 2, state: 'succeeded' }));
    await catalogue.recordJob(sampleJob('guarded', { revision: 1 }));
    await catalogue.bookJob(sampleJob('guarded', { revision: 0, state: 'notStarted' }));
    expect((await catalogue.job('guarded'))?.state).toBe('succeeded');
  });

  test('a booked job gives way to what its workflow tells', async () => {
    await catalogue.bookJob(sampleJob('booked', { revision: 0, state: 'notStarted' }));
    await catalogue.recordJob(sampleJob('booked', { revision: 0, state: 'inProgress' }));
    expect((await catalogue.job('booked'))?.state).toBe('inProgress');
  });

  test('a complete discovery drops the machines it did not see and counts the rest', async () => {
    const vcenterId = asId<VCenterId>('sweep');
    await catalogue.saveVCenter({
      name: 'sweep',
      url: 'https://vc.example.com',
      username: 'dr',
      certificateSha256: 'AA',
      addedAt: new Date(),
    });
    const machines = [1, 2, 3].map((n) => sampleMachine(n, { vcenterId, name: `sweep-${n}` }));
    await catalogue.recordMachines(vcenterId, machines, { generation: 'a', complete: true });
    await catalogue.recordMachines(vcenterId, machines.slice(0, 1), { generation: 'b', complete: false });
    expect((await catalogue.listMachines({ limit: 9, vcenter: 'sweep' })).items).toHaveLength(3);
    await catalogue.recordMachines(vcenterId, machines.slice(1, 2), { generation: 'b', complete: true });
    const left = await catalogue.listMachines({ limit: 9, vcenter: 'sweep' });
    expect(left.items.map(({ machine }) => machine.name)).toEqual(['sweep-1', 'sweep-2']);
    expect((await catalogue.vcenter(vcenterId))?.machineCount).toBe(2);
  });

  test('a large discovery is read back page by page without a gap or a repetition', async () => {
    const machines = Array.from({ length: 1_203 }, (_, n) => sampleMachine(n, { vcenterId: asId('large') }));
    await catalogue.recordMachines(asId('large'), machines, { generation: 'a', complete: true });
    const seen: string[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < 4; pages += 1) {
      const page = await catalogue.listMachines({
        limit: 400,
        vcenter: 'large',
        ...(cursor === undefined ? {} : { cursor }),
      });
      seen.push(...page.items.map(({ machine }) => machine.id));
      cursor = page.nextCursor;
    }
    expect(cursor).toBeUndefined();
    expect(seen).toEqual(machines.map((machine) => machine.id));
  });

  test('machine names match exactly, with * for any characters and nothing else special', async () => {
    const names = ['db_1', 'dbx1', 'db%2', 'DB_1'];
    const machines = names.map((name, n) => sampleMachine(n, { vcenterId: asId('names'), name }));
    await catalogue.recordMachines(asId('names'), machines, { generation: 'a', complete: true });
    const found = async (name: string) =>
      (await catalogue.listMachines({ limit: 9, vcenter: 'names', name })).items
        .map(({ machine }) => machine.name)
        .sort();
    expect(await found('db_1')).toEqual(['db_1']);
    expect(await found('db*')).toEqual(['db%2', 'db_1', 'dbx1']);
    expect(await found('db%')).toEqual([]);
  });

  test('a machine counts as protected from its item on, unless enabling failed or protection has ended', async () => {
    await catalogue.recordMachines(
      asId('prot'),
      [7001, 7002, 7003, 7004, 7005].map((n) => sampleMachine(n, { vcenterId: asId('prot') })),
      { generation: 'a', complete: true },
    );
    await catalogue.recordItem(sampleItem(7001));
    await catalogue.recordItem(sampleItem(7002, { state: 'enablingFailed' }));
    await catalogue.recordItem(sampleItem(7004, { state: 'disabling' }));
    await catalogue.recordItem(sampleItem(7005, { state: 'disabled' }));
    const listed = await catalogue.listMachines({ limit: 9, vcenter: 'prot' });
    expect(listed.items.map(({ isProtected }) => isProtected)).toEqual([true, false, false, true, false]);
  });

  test('jobs are listed newest first, by item and state, page by page', async () => {
    const item = asId<ProtectedItemId>(machineUuid(42));
    for (let n = 1; n <= 5; n += 1) {
      await catalogue.recordJob(
        sampleJob(`paged-${n}`, {
          itemId: item,
          startedAt: `2026-11-21T10:0${Math.ceil(n / 2)}:00.000Z`,
          state: n === 3 ? 'failed' : 'succeeded',
        }),
      );
    }
    const first = await catalogue.listJobs({ limit: 3, item });
    expect(first.items.map((job) => job.id)).toEqual(['paged-5', 'paged-4', 'paged-3']);
    const second = await catalogue.listJobs({ limit: 3, item, cursor: first.nextCursor ?? '' });
    expect(second.items.map((job) => job.id)).toEqual(['paged-2', 'paged-1']);
    expect(second.nextCursor).toBeUndefined();
    const failed = await catalogue.listJobs({ limit: 3, item, state: 'failed' });
    expect(failed.items.map((job) => job.id)).toEqual(['paged-3']);
    const { itemId: _, ...ofNobody } = sampleJob('a-run', { kind: 'failoverPlan', state: 'inProgress' });
    await catalogue.recordJob({ ...ofNobody, startedAt: '2026-11-21T09:00:00.000Z' });
    await catalogue.recordJob(sampleJob('newer', { itemId: item, state: 'inProgress' }));
    const runs = await catalogue.listJobs({ limit: 1, kinds: ['testPlan', 'failoverPlan'] });
    expect(runs.items.map((job) => job.id)).toEqual(['a-run']);
    expect(runs.nextCursor).toBeUndefined();
  });

  test('a cursor that is not ours is refused', async () => {
    await expect(catalogue.listItems({ limit: 1, cursor: 'bm90IG91cnM' })).rejects.toMatchObject({
      code: 'DR_REQUEST_INVALID',
    });
  });

  test.each([
    ['no moment', ['yesterday', 'job']],
    ['a moment that no calendar has', ['2026-02-31T00:00:00.000Z', 'job']],
    ['a zero character', ['2026-02-03T00:00:00.000Z', 'job\u0000']],
    ['half a surrogate pair', ['2026-02-03T00:00:00.000Z', '\ud800']],
    ['a number', ['2026-02-03T00:00:00.000Z', 7]],
  ])('a cursor with %s in it is refused before the database sees it', async (_, key) => {
    const cursor = Buffer.from(JSON.stringify(key)).toString('base64url');
    await expect(catalogue.listJobs({ limit: 1, cursor })).rejects.toMatchObject({
      code: 'DR_REQUEST_INVALID',
    });
  });

  test('a policy keeps its first values', async () => {
    expect(await catalogue.createPolicy(samplePolicy)).toBe(true);
    expect(await catalogue.createPolicy({ ...samplePolicy, intervalSeconds: 1 })).toBe(false);
    expect(await catalogue.policy(samplePolicy.id)).toEqual(samplePolicy);
    const whole = {
      ...samplePolicy,
      id: asId<PolicyId>('whole'),
      appConsistentHours: 4,
      autoResync: { fromHour: 22, toHour: 4 },
      failback: { ...samplePolicy.failback, id: asId<PolicyId>('whole-failback') },
    };
    await catalogue.createPolicy(whole);
    expect(await catalogue.policy(whole.id)).toEqual(whole);
    expect((await catalogue.listPolicies({ limit: 9 })).items).toEqual([samplePolicy, whole]);
  });

  const planOf = (name: string, machine: string) => {
    const text = `apiVersion: switchback/v1\nkind: RecoveryPlan\nname: ${name}\ngroups:\n  - name: a\n    members: [{ machine: ${machine} }]\n`;
    const read = readPlan(text);
    if (!('plan' in read)) throw new Error('not a plan');
    return { text, plan: read.plan, author: 'administrator' };
  };

  test('applies of one plan at the same time become versions without a gap, each text once', async () => {
    const texts = Array.from({ length: 12 }, (_, n) => planOf('raced', `m-${n}`));
    const applied = await Promise.all(
      [...texts, ...texts.slice(0, 3)].map((given) => catalogue.applyPlan(given)),
    );
    const stored = applied.filter(({ outcome }) => outcome !== 'unchanged');
    const versions = stored.map(({ stored: { version } }) => version).toSorted((a, b) => a - b);
    expect(versions).toEqual(versions.map((_, n) => n + 1));
    expect(versions.length).toBeGreaterThanOrEqual(texts.length);
    expect(stored.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
    const listed = await catalogue.planVersions('raced', { limit: 99 });
    expect(listed.items.map(({ version }) => version)).toEqual(versions.toReversed());
    for (const { stored: version } of stored) {
      expect(await catalogue.plan('raced', version.version)).toEqual(version);
    }
  });

  test('the text of the newest version again stores nothing; an earlier text does', async () => {
    const [one, two] = [planOf('again', 'one'), planOf('again', 'two')];
    expect(await catalogue.applyPlan(one)).toMatchObject({ outcome: 'created', stored: { version: 1 } });
    expect(await catalogue.applyPlan(one)).toMatchObject({ outcome: 'unchanged', stored: { version: 1 } });
    const changed = await catalogue.applyPlan({ ...two, author: 'olga' });
    expect(changed).toMatchObject({ outcome: 'changed', stored: { version: 2, author: 'olga' } });
    expect(changed.before).toMatchObject({ version: 1, text: one.text });
    expect(await catalogue.applyPlan(one)).toMatchObject({ outcome: 'changed', stored: { version: 3 } });
    expect(await catalogue.plan('again', 9)).toBeUndefined();
    expect(await catalogue.plan('nothing')).toBeUndefined();
  });

  test('plans are listed by name with their newest version, and their versions newest first, page by page', async () => {
    for (const name of ['list-b', 'list-a', 'list-c']) {
      await catalogue.applyPlan(planOf(name, 'one'));
      await catalogue.applyPlan(planOf(name, 'two'));
    }
    const cursor = Buffer.from('["list"]').toString('base64url');
    const first = await catalogue.listPlans({ limit: 2, cursor });
    expect(first.items).toMatchObject([
      { name: 'list-a', version: 2, groupCount: 1 },
      { name: 'list-b', version: 2 },
    ]);
    const second = await catalogue.listPlans({ limit: 1, cursor: first.nextCursor ?? '' });
    expect(second.items).toMatchObject([{ name: 'list-c', version: 2 }]);
    const newest = await catalogue.planVersions('list-a', { limit: 1 });
    const older = await catalogue.planVersions('list-a', { limit: 1, cursor: newest.nextCursor ?? '' });
    expect([...newest.items, ...older.items].map(({ version }) => version)).toEqual([2, 1]);
    expect(older.nextCursor).toBeUndefined();
    await expect(catalogue.planVersions('list-a', { limit: 1, cursor })).rejects.toMatchObject({
      code: 'DR_REQUEST_INVALID',
    });
  });

  test('a discovery without tags leaves those of the one before; one with none takes them away', async () => {
    const discover = (generation: string, tags?: readonly string[]) =>
      catalogue.recordMachines(
        asId('tags'),
        [sampleMachine(8001, { vcenterId: asId('tags'), ...(tags && { tags }) })],
        { generation, complete: true },
      );
    const tags = async () =>
      (await catalogue.listMachines({ limit: 9, vcenter: 'tags' })).items[0]?.machine.tags;
    await discover('a');
    expect(await tags()).toBeUndefined();
    await discover('b', ['tier/db']);
    await discover('c');
    expect(await tags()).toEqual(['tier/db']);
    await discover('d', []);
    expect(await tags()).toEqual([]);
  });

  test('a protected machine that vCenter lists no more is listed no more, but known until its protection ends', async () => {
    const vcenterId = asId<VCenterId>('lost');
    const machines = [8101, 8102].map((n) => sampleMachine(n, { vcenterId, folder: '/dc/vm' }));
    const known = async () =>
      (await catalogue.allMachines()).filter((machine) => machine.vcenterId === 'lost').map(({ id }) => id);
    await catalogue.recordItem(sampleItem(8101));
    await catalogue.recordMachines(vcenterId, machines, { generation: 'a', complete: true });
    await catalogue.recordMachines(vcenterId, [], { generation: 'b', complete: true });
    expect((await catalogue.listMachines({ limit: 9, vcenter: 'lost' })).items).toEqual([]);
    expect(await catalogue.machinesNamed(machineUuid(8101))).toEqual([]);
    expect(await known()).toEqual([machineUuid(8101)]);
    await catalogue.recordMachines(vcenterId, machines, { generation: 'c', complete: true });
    expect((await catalogue.listMachines({ limit: 9, vcenter: 'lost' })).items).toHaveLength(2);
    await catalogue.recordItem(sampleItem(8101, { state: 'disabled', revision: 2 }));
    await catalogue.recordMachines(vcenterId, [], { generation: 'd', complete: true });
    expect(await known()).toEqual([]);
  });

  test('everything recorded is there after closing and opening again', async () => {
    await catalogue.recordItem(sampleItem(900, { revision: 3 }));
    await catalogue.replaceTokens({ id: 'kept', sha256: 'ab', principal: 'administrator' });
    await catalogue.close();
    catalogue = await reopen();
    expect((await catalogue.itemsNamed(machineUuid(900)))[0]).toEqual(sampleItem(900, { revision: 3 }));
    expect((await catalogue.token('kept'))?.principal).toBe('administrator');
  });

  pastJobsContract(() => catalogue);
}

describe('embedded catalogue', () => {
  catalogueContract(async () => () => openCatalogue({ folder: join(folder, 'embedded') }));

  test('a second opener of the same folder is refused while the first holds it', async () => {
    const place = { folder: join(folder, 'locked') };
    const first = await openCatalogue(place);
    await expect(openCatalogue(place)).rejects.toMatchObject({ code: 'DR_CATALOGUE_UNREACHABLE' });
    await first.close();
    await (await openCatalogue(place)).close();
  });

  test('policies and items of the first version are completed when it is opened', async () => {
    const place = join(folder, 'first-version');
    const first = await PGlite.create(place);
    for (const statement of migrations[0]?.statements ?? []) await first.exec(statement);
    await first.exec(
      'create table switchback_migrations (number integer primary key, applied_at timestamptz not null default now())',
    );
    await first.exec('insert into switchback_migrations (number) values (1)');
    await first.exec(`insert into policies values ('slow', 600, 24, 1800), ('fast', 60, 24, 900)`);
    const { direction, paused, ...early } = sampleItem(1, { state: 'disabled' });
    await first.query(`insert into items values ($1, 'm', 'disabled', 'normal', 1, $2)`, [
      early.itemId,
      early,
    ]);
    await first.close();

    const catalogue = await openCatalogue({ folder: place });
    const failbackOf = async (name: string) => (await catalogue.policy(asId<PolicyId>(name)))?.failback;
    expect(await failbackOf('slow')).toMatchObject({ intervalSeconds: 600, rpoThresholdSeconds: 1_200 });
    expect(await failbackOf('fast')).toMatchObject({ intervalSeconds: 300, rpoThresholdSeconds: 900 });
    expect(await catalogue.itemsNamed(machineUuid(1))).toEqual([{ ...early, direction, paused }]);
    await catalogue.close();
  });

  test('a lock left by a process that is gone is taken over', async () => {
    await writeFile(join(folder, 'stale.lock'), '999999999');
    await (await openCatalogue({ folder: join(folder, 'stale') })).close();
  });
});

if (await hasPostgres()) {
  describe('PostgreSQL catalogue', () => {
    let postgres: PostgresCluster;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres.stop());

    catalogueContract(async () => {
      const url = await postgres.createDatabase('switchback_catalogue');
      return () => openCatalogue({ folder, url });
    });

    test('several processes may start at once on an empty database', async () => {
      const url = await postgres.createDatabase('switchback_race');
      const opened = await Promise.all([1, 2, 3, 4].map(() => openCatalogue({ url, folder })));
      for (const catalogue of opened) {
        expect(await catalogue.token('none')).toBeUndefined();
        await catalogue.close();
      }
    });
  });
}

test('a database that is away is told without its password', async () => {
  const url = new Secret('postgres://dr:hunter2@127.0.0.1:1/none');
  const failure = await openCatalogue({ url, folder }).catch((error: unknown) => error as Error);
  expect(failure).toMatchObject({ code: 'DR_CATALOGUE_UNREACHABLE' });
  expect((failure as Error).message).not.toContain('hunter2');
});
