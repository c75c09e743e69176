import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { DrError } from '../../domain/errors.ts';
import type { Catalogue } from '../../server/catalogue/catalogue.ts';
import { openCatalogue } from '../../server/catalogue/open.ts';
import { openTokens } from '../../server/tokens.ts';

let folder: string;
let dataDir: string;
let file: string;
let catalogue: Catalogue;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-tokens-'));
  catalogue = await openCatalogue({ folder: join(folder, 'catalogue') });
});
afterAll(async () => {
  await catalogue.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  dataDir = await mkdtemp(join(folder, 'data-'));
  file = join(dataDir, 'administrator.token');
});

const open = () => openTokens({ catalogue, dataDir });
const written = async () => (await readFile(file, 'utf8')).trim();

test('the token outlives a restart, alone in the folder and for its owner only', async () => {
  await open();
  const token = await written();
  const tokens = await open();
  expect(await written()).toBe(token);
  expect(await tokens.principalOf(token)).toBe('administrator');
  expect(await readdir(dataDir)).toEqual(['administrator.token']);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('a crash between writing the token and keeping its hash loses no access', async () => {
  const crashed = {
    token: async () => undefined,
    replaceTokens: () => Promise.reject(new Error('crashed')),
  };
  await expect(openTokens({ catalogue: crashed, dataDir })).rejects.toThrow('crashed');
  const token = await written();
  expect(await (await open()).principalOf(token)).toBe('administrator');
});

test('without the file a new token is made and the earlier one is revoked', async () => {
  await open();
  const earlier = await written();
  await rm(file);
  const tokens = await open();
  expect(await tokens.principalOf(await written())).toBe('administrator');
  expect(await tokens.principalOf(earlier)).toBeNull();
});

test('a token that was revoked stays revoked when its file comes back', async () => {
  await open();
  const earlier = await written();
  await rm(file);
  await open();
  await writeFile(file, earlier);
  expect(await (await open()).principalOf(earlier)).toBeNull();
});

test('several processes that start at once on one folder agree on one token', async () => {
  const [first, second] = await Promise.all([open(), open()]);
  const token = await written();
  expect(await first.principalOf(token)).toBe('administrator');
  expect(await second.principalOf(token)).toBe('administrator');
});

test.each([
  ['empty', ''],
  ['cut off', 'sb_0123456789ab_short'],
])('a file that is %s is refused by name, left as it is and its content not told', async (_, content) => {
  await open();
  const token = await written();
  await writeFile(file, content);
  const refused = open();
  await expect(refused).rejects.toMatchObject({ code: 'DR_CONFIG_INVALID' });
  await expect(refused).rejects.toThrow(file);
  await expect(refused).rejects.not.toThrow(/sb_/);
  expect(await readFile(file, 'utf8')).toBe(content);
  await writeFile(file, token);
  expect(await (await open()).principalOf(token)).toBe('administrator');
});

test('while the catalogue is away, tokens count as they were seen last', async () => {
  await open();
  const revoked = await written();
  await rm(file);
  const away = new DrError('DR_CATALOGUE_UNREACHABLE', { reason: 'ECONNREFUSED' });
  let isAway = false;
  const tokens = await openTokens({
    dataDir,
    catalogue: {
      replaceTokens: (token) => catalogue.replaceTokens(token),
      token: (id) => (isAway ? Promise.reject(away) : catalogue.token(id)),
    },
  });
  const valid = await written();
  expect(await tokens.principalOf(revoked)).toBeNull();
  isAway = true;
  expect(await tokens.principalOf(valid)).toBe('administrator');
  expect(await tokens.principalOf(revoked)).toBeNull();
  expect(await tokens.principalOf(`${valid.slice(0, -2)}xx`)).toBeNull();
  expect(await tokens.principalOf(`sb_000000000000_${'a'.repeat(43)}`)).toBeNull();
});
