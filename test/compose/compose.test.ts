import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { settings } from '../../config/settings.ts';
import { BUNDLE_SOURCES } from '../../workers/bundle.ts';
import { roleMemoryEnvironment, roleNodeOptions } from '../../workers/role-process.ts';
import { repositoryRoot } from '../../lab/tools/cache.ts';

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly name?: string; readonly target: number; readonly published: string }[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

let text: string;
let compose: Compose;
beforeAll(async () => {
  text = await readFile(join(repositoryRoot, 'docker-compose.yml'), 'utf8');
  compose = parse(text, { merge: true }) as Compose;
});

const services = () => Object.entries(compose.services);
const all = <T>(list: (service: Service) => readonly T[] | undefined) =>
  services().flatMap(([, service]) => list(service) ?? []);
const inRepository = (path: string) => existsSync(join(repositoryRoot, path));

describe('docker-compose.yml', () => {
  test('pins every image to an exact version', () => {
    for (const [name, { image }] of services()) {
      expect(`${name}: ${image}`).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$|@sha256:[0-9a-f]{64}$/);
    }
  });

  test('names every port and publishes none twice', () => {
    const ports = all((service) => service.ports);
    for (const port of ports) expect(port.name).toMatch(/^[a-z-]+$/);
    expect(new Set(ports.map((port) => port.published)).size).toBe(ports.length);
  });

  test('mounts only declared volumes, and files that the repository has or the manual tells to write', () => {
    const sources = all((service) => service.volumes).map((volume) => volume.split(':')[0] ?? '');
    for (const source of sources) {
      const known = source.startsWith('./')
        ? source === './switchback.yaml' || inRepository(source)
        : source in compose.volumes;
      expect({ source, known }).toEqual({ source, known: true });
    }
    for (const volume of Object.keys(compose.volumes)) expect(sources).toContain(volume);
  });

  test('starts every process that an installation needs to send machines out and bring them home', () => {
    const programs = all((service) => service.command);
    const roles = ['configuration-server', 'process-server', 'recovery-site', 'master-target'];
    expect(programs).toEqual(expect.arrayContaining(roles.map((role) => `workers/${role}.ts`)));
  });

  test('starts every role with the options and the memory settings the appliance gives it', () => {
    const roles = ['configuration-server', 'process-server', 'recovery-site', 'master-target'];
    for (const role of roles) {
      const { command = [], environment } = compose.services[role] ?? {};
      const program = command.indexOf(`workers/${role}.ts`);
      expect(command.slice(0, program)).toEqual(roleNodeOptions(role));
      expect(environment).toMatchObject(roleMemoryEnvironment);
    }
  });

  test('starts only programs that the repository has', () => {
    const words = all((service) => [
      ...(service.entrypoint ?? []),
      ...(service.command ?? []),
      ...(service.healthcheck?.test ?? []),
    ]);
    const own = words
      .map((word) => word.replace(/^\/scripts\//, 'scripts/compose/'))
      .filter((word) => /^(scripts|workers)\//.test(word));
    expect(own.length).toBeGreaterThan(0);
    for (const program of own)
      expect({ program, exists: inRepository(program) }).toEqual({ program, exists: true });
  });

  test('waits for services that exist, and for health only where it is checked', () => {
    for (const dependencies of all((service) => [service.depends_on ?? {}])) {
      for (const [target, { condition }] of Object.entries(dependencies)) {
        expect(Object.keys(compose.services)).toContain(target);
        if (condition === 'service_healthy') expect(compose.services[target]?.healthcheck).toBeDefined();
      }
    }
  });

  test('sets only variables of the product that are settings', () => {
    const known = new Set(settings.map((setting) => setting.variable));
    const given = all((service) => Object.keys(service.environment ?? {})).filter((name) =>
      name.startsWith('SWITCHBACK_'),
    );
    expect(given.length).toBeGreaterThan(0);
    for (const name of given) expect(known).toContain(name);
  });

  test('holds no password: every secret is a declared file outside the repository', () => {
    for (const secret of all((service) => service.secrets))
      expect(Object.keys(compose.secrets)).toContain(secret);
    for (const { file } of Object.values(compose.secrets)) expect(file).toMatch(/^\.\/secrets\//);
    const variables = all((service) => Object.keys(service.environment ?? {}));
    for (const name of variables) expect(name).not.toMatch(/(PASSWORD|PWD|KEY|SECRET|TOKEN)$/);
  });
});

test('make-secrets.sh writes every secret once, in a folder closed to others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'switchback-secrets-'));
  try {
    await cp(join(repositoryRoot, 'scripts/compose'), join(folder, 'scripts/compose'), { recursive: true });
    const make = () => promisify(execFile)('sh', [join(folder, 'scripts/compose/make-secrets.sh')]);
    const read = async () => {
      const names = (await readdir(join(folder, 'secrets'))).sort();
      return Promise.all(
        names.map(async (name) => [name, await readFile(join(folder, 'secrets', name), 'utf8')]),
      );
    };
    await make();
    const first = await read();
    const wanted = Object.values(compose.secrets).map(({ file }) => file.replace('./secrets/', ''));
    expect(first.map(([name]) => name)).toEqual(wanted.sort());
    await make();
    expect(await read()).toEqual(first);
    expect((await stat(join(folder, 'secrets'))).mode & 0o077).toBe(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the image is built from rooms that exist, on the Node version that the lock file names', async () => {
  const dockerfile = await readFile(join(repositoryRoot, 'Dockerfile'), 'utf8');
  const manifest = JSON.parse(await readFile(join(repositoryRoot, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  for (const base of bases) expect(base).toBe(`node:${manifest.devDependencies['node']}-bookworm-slim`);
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from]) =>
    (from ?? '').split(' '),
  );
  for (const path of copied) expect({ path, exists: inRepository(path) }).toEqual({ path, exists: true });
  expect(copied).toEqual(expect.arrayContaining([...BUNDLE_SOURCES]));
});
