import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { PriceList } from '../../../domain/ports.ts';
import { startArm, type RunningArm } from '../../../lab/arm/start.ts';
import { labClient, type LabClient } from '../../../lab/http.ts';
import { createPriceList } from '../../../providers/azure/prices.ts';

const never = new AbortController().signal;
const asked = {
  location: 'westeurope',
  currency: 'EUR',
  vmSize: 'Standard_D4s_v5',
  isWindows: false,
};
const unreadable = (reason: RegExp) =>
  expect.objectContaining({ code: 'DR_AZURE_PRICES_UNREADABLE', message: expect.stringMatching(reason) });

describe('the price list of the practice Azure, over HTTPS', () => {
  let folder: string;
  let arm: RunningArm;
  let lab: LabClient;
  let nowMs = 0;
  let open: () => PriceList;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'switchback-prices-'));
    const storageKeyFile = join(folder, 'key');
    await writeFile(storageKeyFile, 'bm90aGluZw==');
    arm = await startArm({
      host: '127.0.0.1',
      port: 0,
      stateDir: join(folder, 'arm'),
      storageEndpoint: 'http://127.0.0.1:1/account',
      storageAccount: 'account',
      storageKeyFile,
    });
    const { url, caFile } = arm.ready;
    lab = labClient(url, caFile);
    const tlsCa = await readFile(caFile, 'utf8');
    open = () => createPriceList({ endpoint: url, tlsCa, now: () => nowMs });
  });
  afterEach(async () => {
    await lab.delete('/_lab/faults');
    await lab.post('/_lab/settings', { pageSize: 100 });
  });
  afterAll(async () => {
    await lab.close();
    await arm.close();
    await rm(folder, { recursive: true, force: true });
  });

  const disturb = (fault: object) => lab.post('/_lab/faults', { path: '/api/retail/prices', ...fault });
  const away = () => disturb({ status: 403, count: 100 });

  test.each([
    ['Linux', asked, 0.1728],
    ['Windows, dearer', { ...asked, isWindows: true }, 0.3384],
    ['another currency', { ...asked, currency: 'USD' }, 0.192],
  ])('tells %s apart from Spot, Low Priority, Dev/Test and Cloud Services', async (_, question, perHour) => {
    expect(await open().perHour(question, never)).toBe(perHour);
  });

  test('is read to its last page', async () => {
    await lab.post('/_lab/settings', { pageSize: 2 });
    expect(await open().perHour(asked, never)).toBe(0.1728);
  });

  test.each([
    ['a size that is none', { ...asked, vmSize: 'Standard_None' }],
    ['a size in another case', { ...asked, vmSize: 'standard_d4s_v5' }],
    ['another region', { ...asked, location: 'northeurope' }],
    ['text that would be another question', { ...asked, vmSize: "x' or armSkuName eq 'Standard_D4s_v5" }],
  ])('has no price for %s', async (_, question) => {
    await expect(open().perHour(question, never)).resolves.toBeNull();
  });

  test('is asked again when it was busy, and believed when it says no', async () => {
    await disturb({ status: 429, retryAfterSeconds: 0 });
    expect(await open().perHour(asked, never)).toBe(0.1728);
    await disturb({ status: 429, count: 3 });
    await expect(open().perHour(asked, never)).rejects.toEqual(unreadable(/429/));
    await expect(open().perHour({ ...asked, currency: 'XYZ' }, never)).rejects.toEqual(
      unreadable(/400.*XYZ is not supported/),
    );
  });

  test('is remembered for an hour, for both systems of a size', async () => {
    const list = open();
    await list.perHour(asked, never);
    await away();
    nowMs += 3_599_000;
    expect(await list.perHour({ ...asked, isWindows: true }, never)).toBe(0.3384);
    nowMs += 2_000;
    await expect(list.perHour(asked, never)).rejects.toEqual(unreadable(/403/));
  });

  test('that is not trusted is not believed', async () => {
    const stranger = createPriceList({ endpoint: arm.ready.url });
    await expect(stranger.perHour(asked, never)).rejects.toEqual(unreadable(/certificate/));
  });

  test('is given up with whoever asks', async () => {
    await disturb({ delayMs: 500 });
    const controller = new AbortController();
    const asking = open().perHour(asked, controller.signal);
    controller.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
  });
});

describe('a price list that is none', () => {
  const against = async (listener: RequestListener) => {
    const server = createServer(listener);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const answer = await createPriceList({ endpoint })
      .perHour(asked, never)
      .catch((error: unknown) => error);
    await new Promise((resolve) => server.close(resolve));
    return answer;
  };
  const page = (more: object) => JSON.stringify({ Items: [], ...more });

  test.each([
    ['no JSON', '<html>Sign in to the guest network</html>', /something else than prices: <html>/],
    ['another shape', '{"Items":[{"retailPrice":"0.01"}]}', /something else than prices/],
    ['nothing', '', /something else than prices/],
    ['pages elsewhere', page({ NextPageLink: 'https://elsewhere.example/api' }), /elsewhere\.example/],
  ])('is refused: %s', async (_, body, reason) => {
    expect(await against((_request, response) => response.end(body))).toEqual(unreadable(reason));
  });

  test('is left after ten pages that name another one', async () => {
    let pages = 0;
    const endless: RequestListener = ({ url = '', headers }, response) => {
      pages += 1;
      response.end(page({ NextPageLink: `http://${headers.host}${url}` }));
    };
    expect(await against(endless)).toEqual(unreadable(/more than 10 pages/));
    expect(pages).toBe(10);
  });

  test('is told with the reason when nobody is there', async () => {
    const list = createPriceList({ endpoint: 'http://127.0.0.1:1' });
    await expect(list.perHour(asked, never)).rejects.toEqual(unreadable(/ECONNREFUSED/));
  });
});
