import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { inspect } from 'node:util';
import { parse } from 'yaml';
import { loadConfig } from '../../config/load.ts';
import { settings, variableOf } from '../../config/settings.ts';
import { renderConfigurationDoc } from '../../scripts/configuration-doc.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

const example = 'config/examples/appliance.yaml';

async function problemsOf(sources: Partial<Parameters<typeof loadConfig>[0]>): Promise<string> {
  const failure = await loadConfig({ env: {}, flags: {}, ...sources }).then(
    () => undefined,
    (error: unknown) => error as { code: string; message: string },
  );
  expect(failure?.code).toBe('DR_CONFIG_INVALID');
  return failure?.message ?? '';
}

describe('configuration', () => {
  test('a flag wins over the environment, the environment over the file, the file over the default', async () => {
    const env = { SWITCHBACK_API_PORT: '9001', SWITCHBACK_SITE: 'berlin' };
    const config = await loadConfig({ file: example, env, flags: { 'api.port': '9002' } });
    expect([config.api.port, config.site, config.api.host, config.temporal.namespace]).toEqual([
      9002,
      'berlin',
      '0.0.0.0',
      'default',
    ]);
  });

  test('durations and sizes with units become numbers of the documented unit', async () => {
    const { replication, azure } = await loadConfig({
      file: example,
      env: { SWITCHBACK_AZURE_POLL_INTERVAL: '2s' },
      flags: { 'replication.intervalSecondsMin': '5m', 'replication.cache.freeMin': '1.5GiB' },
    });
    expect(azure.pollInterval).toBe(2000);
    expect(replication.intervalSecondsMin).toBe(300);
    expect(replication.cache.freeMin).toBe(1.5 * 2 ** 30);
  });

  test('folders of commands are a list of absolute paths, none at first', async () => {
    const { steps, dataDir } = await loadConfig({ file: example, env: {}, flags: {} });
    expect(steps).toEqual({ secretsFolder: join(dataDir, 'secrets'), commandFolders: [] });
    const given = await loadConfig({
      file: example,
      env: { SWITCHBACK_STEPS_COMMAND_FOLDERS: '[/opt/hooks, /etc/hooks]' },
      flags: { 'steps.secretsFolder': '/run/secrets' },
    });
    expect(given.steps).toEqual({
      secretsFolder: '/run/secrets',
      commandFolders: ['/opt/hooks', '/etc/hooks'],
    });
    for (const wrong of ['/opt/hooks', '[hooks]', '[1]', '[']) {
      const message = await problemsOf({ file: example, flags: { 'steps.commandFolders': wrong } });
      expect(message).toContain('steps.commandFolders: must be a list of at most 100 absolute paths');
    }
  });

  test('every problem is told at once, each with its path and where to correct it', async () => {
    const file = join(folder, 'bad.yaml');
    await writeFile(file, 'sight: x\napi: { port: 70000, tls: true }\nazure: { location: West Europe }\n');
    const message = await problemsOf({
      file,
      env: { SWITCHBACK_API_PROT: '1', SWITCHBACK_LOG_LEVEL: 'loud' },
      flags: { 'replication.cache.max': '8MB', 'no.such': '1' },
    });
    for (const path of [
      'sight',
      'api.port',
      'api.tls',
      'azure.location',
      'azure.subscriptionId',
      'azure.identity.kind',
      'storage.accountUrl',
      'diskTransport.kind',
      'SWITCHBACK_API_PROT',
      'log.level',
      'replication.cache.max',
      'no.such',
    ]) {
      expect(message).toContain(`\n  ${path}: `);
    }
    expect(message).toContain('SWITCHBACK_AZURE_LOCATION');
  });

  test('a storage account is reached without TLS on this machine only', async () => {
    const flags = (url: string) => ({ 'storage.accountUrl': url });
    const local = await loadConfig({ file: example, env: {}, flags: flags('http://127.0.0.1:10000/lab') });
    expect(local.storage.accountUrl).toBe('http://127.0.0.1:10000/lab');
    expect(await problemsOf({ file: example, flags: flags('http://storage.example.com') })).toContain(
      'storage.accountUrl',
    );
    expect(await problemsOf({ file: example, flags: flags('https://s.example.com/?sig=abc') })).not.toContain(
      'abc',
    );
  });

  test('the address of the catalogue is read from a file, prints as dots and is refused as a flag', async () => {
    const urlFile = join(folder, 'url');
    await writeFile(urlFile, 'postgres://dr:hunter2@db.example.com/dr\n');
    const config = await loadConfig({ file: example, env: {}, flags: { 'catalogue.urlFile': urlFile } });
    expect(config.catalogue.url?.reveal()).toBe('postgres://dr:hunter2@db.example.com/dr');
    expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain('hunter2');
    const asFlag = { 'catalogue.url': 'postgres://dr:hunter2@db.example.com/dr' };
    const message = await problemsOf({ file: example, flags: asFlag });
    expect(message).toContain('catalogue.urlFile');
    expect(message).not.toContain('hunter2');
  });

  test('a file that is missing or not YAML is a problem like any other', async () => {
    const broken = join(folder, 'broken.yaml');
    await writeFile(broken, 'api: [');
    expect(await problemsOf({ file: broken })).toContain('broken.yaml: cannot be read');
    expect(await problemsOf({ file: join(folder, 'absent.yaml') })).toContain('absent.yaml: cannot be read');
  });

  test.each(['appliance', 'production'])('the example %s is valid', async (name) => {
    const flags: Record<string, string> = {};
    if (name === 'production') {
      flags['catalogue.urlFile'] = join(folder, 'production-url');
      await writeFile(flags['catalogue.urlFile'], 'postgres://db.example.com/switchback');
    }
    await expect(loadConfig({ file: `config/examples/${name}.yaml`, env: {}, flags })).resolves.toBeDefined();
  });

  test('every setting can be given by the variable that its path names', async () => {
    expect(variableOf('replication.cache.freeMin')).toBe('SWITCHBACK_REPLICATION_CACHE_FREE_MIN');
    expect(new Set(settings.map((s) => s.variable)).size).toBe(settings.length);
    const env = {
      SWITCHBACK_STORAGE_ACCOUNT_URL: 'https://a.blob.core.windows.net',
      SWITCHBACK_AZURE_SUBSCRIPTION_ID: '00000000-0000-0000-0000-000000000000',
      SWITCHBACK_AZURE_LOCATION: 'westeurope',
      SWITCHBACK_AZURE_IDENTITY_KIND: 'managedIdentity',
      SWITCHBACK_DISK_TRANSPORT_KIND: 'exportService',
    };
    const config = await loadConfig({ env, flags: {} });
    expect(config.azure.identity).toEqual({ kind: 'managedIdentity' });
  });

  test('receivers of notifications are told of everything, unless they name what they want', async () => {
    const file = join(folder, 'notifications.yaml');
    const rest = (await readFile(example, 'utf8')).replaceAll(/^#.*\n/gm, '');
    const given = `notifications:
  webhooks:
    - { name: on-call, url: 'https://hooks.example.com/dr', secret: on-call-hook, events: [failed] }
    - { name: chat, url: 'http://127.0.0.1:9000', secret: chat }
  smtp: { host: mail.example.com, user: dr, passwordSecret: mail, from: dr@example.com, to: [ops@example.com] }
`;
    await writeFile(file, rest + given);
    const { notifications } = await loadConfig({ file, env: {}, flags: {} });
    expect(notifications.webhooks.map(({ name, events }) => [name, events.length])).toEqual([
      ['on-call', 1],
      ['chat', 5],
    ]);
    expect(notifications.smtp).toMatchObject({ port: 587, tls: 'starttls', to: ['ops@example.com'] });
    expect(notifications.smtp?.events).toHaveLength(5);
    const none = await loadConfig({ file: example, env: {}, flags: {} });
    expect(none.notifications).toEqual({ webhooks: [] });
  });

  test('receivers that cannot be meant are refused, each at its place', async () => {
    const webhooks = `[{name: mail, url: "http://hooks.example.com", secret: A B, events: [fail], color: red},
      {name: a, url: "https://h", secret: s}, {name: a, url: "https://h", secret: s}]`;
    const message = await problemsOf({
      file: example,
      flags: {
        'notifications.webhooks': webhooks,
        'notifications.smtp.host': 'mail.example.com',
        'notifications.smtp.tls': 'none',
        'notifications.smtp.user': 'dr',
        'notifications.smtp.from': 'nobody',
        'notifications.smtp.to': '[ops@example.com, "a@b.c, d@e.f"]',
      },
    });
    for (const problem of [
      'notifications.webhooks.0.name: must not be "mail"',
      'notifications.webhooks.0.url: must be an https:// address',
      'notifications.webhooks.0.secret: must be the name of a secret',
      'notifications.webhooks.0.events.0: must be one of waitingForInput, failed',
      'notifications.webhooks.0: there is no color here; here belong name, url, secret, events',
      'notifications.smtp.from: must be a mail address such as dr@example.com',
      'notifications.smtp.to.1: must be a mail address',
    ]) {
      expect(message).toContain(problem);
    }
    const twice = await problemsOf({
      file: example,
      flags: {
        'notifications.webhooks':
          '[{name: a, url: "https://h", secret: s}, {name: a, url: "https://h", secret: s}]',
        'notifications.smtp.host': 'mail.example.com',
        'notifications.smtp.tls': 'none',
        'notifications.smtp.user': 'dr',
        'notifications.smtp.from': 'dr@example.com',
        'notifications.smtp.to': '[ops@example.com]',
      },
    });
    for (const problem of [
      'notifications.webhooks.1.name: must be unique',
      'notifications.smtp.tls: must be starttls or implicit: the server is not on this machine',
      'notifications.smtp.passwordSecret: must be given together with `user`',
    ]) {
      expect(twice).toContain(problem);
    }
  });

  test('a throttle is a weekly schedule, written in a file or a variable', async () => {
    const file = join(folder, 'throttle.yaml');
    const throttle = `{ rate: 100Mbit/s, timeZone: Europe/Berlin, windows: [
      { days: mon-fri, from: 08:00, to: 18:00, rate: 2.5MiB/s },
      { days: [sat, sun], from: 22:00, to: 6:00, rate: paused, timeZone: UTC } ] }`;
    const { storage, azure, diskTransport } = parse(await readFile(example, 'utf8')) as Record<
      string,
      unknown
    >;
    const rest = JSON.stringify({ storage, azure, diskTransport }).slice(0, -1);
    await writeFile(file, `${rest}, "replication": { "throttle": ${throttle} } }`);
    const weekdays = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], fromMinute: 480, toMinute: 1_080 };
    const weekend = { days: ['sat', 'sun'], fromMinute: 1_320, toMinute: 360 };
    const { replication } = await loadConfig({ file, env: {}, flags: {} });
    expect(replication.throttle).toEqual({
      rate: 12_500_000,
      windows: [
        { ...weekdays, rate: 2.5 * 2 ** 20, timeZone: 'Europe/Berlin' },
        { ...weekend, rate: 'paused', timeZone: 'UTC' },
      ],
    });
    const env = {
      SWITCHBACK_REPLICATION_THROTTLE_WINDOWS: '[{days: mon, from: "0:00", to: "24:00", rate: unlimited}]',
    };
    const fromEnvironment = await loadConfig({ file, env, flags: {} });
    expect(fromEnvironment.replication.throttle.windows).toEqual([
      { days: ['mon'], fromMinute: 0, toMinute: 1_440, rate: 'unlimited', timeZone: 'Europe/Berlin' },
    ]);
  });

  test('a throttle that cannot be meant is refused, window by window', async () => {
    const windows = `[{days: mo-fr, from: "8:00", to: "18:60", rate: 5MB, speed: 1},
      {days: mon, from: "9:00", to: "9:00", rate: 0}, {days: mon, from: "9:00", to: "9:00", rate: paused}, night]`;
    const flags = {
      'replication.throttle.windows': windows,
      'replication.throttle.rate': '0',
      'replication.throttle.timeZone': 'Berlin',
    };
    const message = await problemsOf({ file: example, flags });
    for (const problem of [
      'windows.0.days: must be days such as mon-fri',
      'windows.0.to: must be a time from 00:00 to 24:00',
      'windows.0.rate: must be `unlimited`, `paused`, or a rate',
      'windows.0: there is no speed here',
      'windows.1.rate: must be `unlimited`, `paused`',
      'windows.2: must not end when it begins',
      'windows.3: must be a mapping with days',
      'throttle.rate: must be `unlimited`',
      'throttle.timeZone: must be a time zone',
    ]) {
      expect(message).toContain(problem);
    }
    const full = { 'replication.cache.max': '1GiB', 'replication.cache.lowWater': '1GiB' };
    expect(await problemsOf({ file: example, flags: full })).toContain('lowWater: must be less than `max`');
    const list = { 'replication.throttle.windows': 'at night' };
    expect(await problemsOf({ file: example, flags: list })).toContain('windows: must be a list');
  });

  test('docs/configuration.md is what the schema says', async () => {
    expect(await readFile('docs/configuration.md', 'utf8')).toBe(renderConfigurationDoc());
  });
});
