import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { asId } from '../../domain/ids.ts';
import { sampleItem, sampleMachine, sampleSpec } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';
import { operatorOf, runCli } from './run.ts';

const SHOP = 'examples/plans/shop.yaml';

let server: RunningServer;
let folder: string;
let changed: string;
beforeAll(async () => {
  server = await startServer();
  folder = await mkdtemp(join(tmpdir(), 'switchback-plans-'));
  changed = join(folder, 'shop.yaml');
  const text = await readFile(SHOP, 'utf8');
  await writeFile(
    changed,
    text.replace(
      '  - name: web\n',
      '  - name: edge\n    members: [{ machine: proxy-01 }]\n\n  - name: web\n',
    ),
  );
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const cli = (line: string) => runCli(line.split(' '), { env: operatorOf(server) });

test('a plan is applied, compared, applied again, and shown with its history', async () => {
  expect(await cli(`plan diff ${SHOP}`)).toMatchObject({ exit: 3, stdout: '' });
  expect((await cli(`plan apply ${SHOP}`)).stdout).toBe('Applied plan "shop" as version 1: it is new.\n');
  expect((await cli(`plan apply ${SHOP}`)).stdout).toContain('unchanged: version 1');
  expect(await cli(`plan diff ${SHOP}`)).toMatchObject({
    exit: 0,
    stdout: 'Plan "shop" does what version 1 does.\n',
  });
  expect(await cli(`plan diff ${changed}`)).toMatchObject({
    exit: 11,
    stdout: 'Against version 1 of plan "shop":\n+ group edge\n+ member proxy-01 (group edge)\n',
  });
  expect((await cli(`plan apply ${changed}`)).stdout).toBe(
    'Applied plan "shop" as version 2: 1 group added, 1 member added.\n',
  );
  expect((await cli('plan list')).stdout).toMatch(/shop +2 +4 +\d{4}-\d\d-\d\d .*administrator/);
  expect((await cli('plan history shop')).stdout).toMatch(/\n2 .*\n1 .*\n$/);
});

test('the text is shown as it was applied, of any version, below two lines of comment', async () => {
  const [text, first, newest] = [
    await readFile(SHOP, 'utf8'),
    await cli('plan show shop --version 1'),
    await cli('plan show shop'),
  ];
  expect(first.stdout.split('\n').slice(2).join('\n')).toBe(text);
  expect(newest.stdout.split('\n')[2]).toBe(
    '# not verified: no drill of it has succeeded and been cleaned up',
  );
  expect(first.stdout).toMatch(
    /^# Plan "shop", version 1, applied .* by administrator\n# sha256: [0-9a-f]{64}\n/,
  );
  expect(newest.stdout).toContain('proxy-01');
  const whole = JSON.parse((await cli('plan show shop --version 1 --output json')).stdout) as object;
  expect(whole).toMatchObject({ version: 1, text, plan: { name: 'shop', drill: {} } });
});

test('members are told by group, with what stands in the way of a run, and drift', async () => {
  await writeFile(
    join(folder, 'mail.yaml'),
    'apiVersion: switchback/v1\nkind: RecoveryPlan\nname: mail\ngroups: [{ name: all, members: [{ tag: app/mail }] }]\n',
  );
  await cli(`plan apply ${folder}/mail.yaml`);
  const machine = (n: number, name: string) =>
    sampleMachine(n, { name, tags: ['app/mail'], folder: '/dc/vm' });
  await server.catalogue.recordMachines(asId('vc'), [machine(1, 'mail-01')], {
    generation: 'a',
    complete: true,
  });
  await server.catalogue.recordItem(sampleItem(1, { machineName: 'mail-01', spec: sampleSpec(1) }));
  const fine = await cli('plan members mail');
  expect(fine).toMatchObject({ exit: 0, stderr: '' });
  expect(fine.stdout).toMatch(/^Plan "mail", version 1, not verified: no drill /);
  expect(fine.stdout).toMatch(/all +mail-01/);
  await server.catalogue.recordMachines(asId('vc'), [machine(1, 'mail-01'), machine(2, 'mail-02')], {
    generation: 'b',
    complete: true,
  });
  const drifted = await cli('plan members mail');
  expect(drifted.exit).toBe(4);
  expect(drifted.stdout).toContain('✗ group all, tag app/mail: machine "mail-02" is not protected');
  expect(drifted.stdout).toContain('! mail-02  /dc/vm  app/mail');
  expect((await cli('machine list')).stdout).toMatch(/mail-02 .* \/dc\/vm +app\/mail/);
});

test.each([
  ['plan show nobody', 3],
  ['plan show shop --version 99', 3],
  ['plan show shop --version first', 2],
  ['plan history nobody', 3],
  ['plan members nobody', 3],
  ['plan apply no-such-file.yaml', 2],
])('switchback %s ends with its class of exit code', async (line, exit) => {
  const ran = await cli(line);
  expect(ran.exit).toBe(exit);
  expect(ran.stderr).not.toBe('');
});
