import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { contract } from '../../api/contract.ts';
import { asId } from '../../domain/ids.ts';
import { machineUuid, sampleItem, sampleJob, samplePoint, sampleSpec } from '../support/samples.ts';
import { startServer, type RunningServer } from '../support/server.ts';
import { operatorOf, runCli } from './run.ts';

let server: RunningServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const cli = (line: string) => runCli(line.split(' '), { env: operatorOf(server) });
const text = `apiVersion: switchback/v1
kind: RecoveryPlan
name: shop
groups: [{ name: all, members: [{ machine: machine-0001 }] }]
`;

test('readiness tells what is ready and what is not with its remedy, and ends with 4 unless all of it is', async () => {
  const empty = await cli('readiness');
  expect(empty).toMatchObject({
    exit: 0,
    stdout: 'There is no recovery plan.\n\nThere is no protected machine.\n',
  });
  await server.client.call(contract.applyPlan, { params: { name: 'shop' }, body: { text } });
  await server.catalogue.recordItem(sampleItem(1, { spec: sampleSpec(1) }));
  await server.catalogue.recordItem(sampleItem(2, { state: 'committed', activeLocation: 'azure' }));
  const itemId = asId<ReturnType<typeof sampleItem>['itemId']>(machineUuid(1));
  server.points.push(samplePoint(1, { itemId, sourceTime: new Date(Date.now() - 240_000).toISOString() }));
  await server.catalogue.recordJob(
    sampleJob('d', { kind: 'testFailover', itemId, state: 'succeeded', result: { rtoSeconds: 90 } }),
  );

  const all = await cli('readiness');
  expect(all).toMatchObject({ exit: 4, stderr: '' });
  expect(all.stdout).toMatch(/shop +1 +yes +90 s +4 min( \d s)? +no\n/);
  expect(all.stdout).toMatch(/machine-0001 +failover +yes +90 s +4 min/);
  expect(all.stdout).toMatch(/machine-0002 +failback +no +not known +not known\n/);
  expect(all.stdout).toMatch(
    /machine-0002: failback is not possible .*\n +Replicate it home with `switchback/,
  );
  expect(all.stdout).toMatch(
    /plan shop is not verified: no drill .*\n +Run a drill with `switchback plan run/,
  );

  expect((await cli('plan list')).stdout).toMatch(
    /shop .* no: no drill of it has succeeded and been cleaned up/,
  );
  const plan = await cli('readiness --plan shop');
  expect(plan).toMatchObject({ exit: 0, stderr: '' });
  expect(plan.stdout).not.toContain('machine-0002');
  const json = await cli('readiness --plan shop --output json');
  expect(JSON.parse(json.stdout)).toMatchObject({ name: 'shop', ready: true, verified: false });
  expect((await cli('readiness --plan nobody')).exit).toBe(3);
});
