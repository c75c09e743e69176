import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { repositoryRoot } from '../../lab/tools/cache.ts';

const rooms =
  'domain workflows activities workers dataplane providers server api cli lab config test bench docs scripts'.split(
    ' ',
  );
const apart = new Set(['node_modules', '.git', '.cache', '.lab', 'coverage', 'secrets']);
const generated = new Set([
  'package-lock.json',
  'api/openapi.json',
  'api/recovery-plan.schema.json',
  'providers/vsphere/wsdl/vim.wsdl',
]);
const LINES_MAX = 400;

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

let files: readonly SourceFile[];
beforeAll(async () => {
  const paths = (await walk(repositoryRoot)).filter(
    (path) => /\.(ts|tsx|mjs|js|go|sh|md|ya?ml|json)$/.test(path) && !generated.has(path),
  );
  files = await Promise.all(
    paths.map(async (path) => ({ path, text: await readFile(join(repositoryRoot, path), 'utf8') })),
  );
});

async function walk(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const nested = await Promise.all(
    entries
      .filter((entry) => !apart.has(entry.name))
      .map(async (entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? walk(path) : [relative(repositoryRoot, path)];
      }),
  );
  return nested.flat();
}

/** `path:line` of every line that matches. */
function linesWith(pattern: RegExp, wanted: (path: string) => boolean): string[] {
  return files
    .filter(({ path }) => wanted(path) && path !== 'test/tidy/tidy.test.ts')
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
}

const isCode = (path: string) => /\.(ts|tsx|mjs|go|sh)$/.test(path);
const isTest = (path: string) => path.endsWith('.test.ts');

describe('the repository', () => {
  test('has every room', () => {
    expect(rooms.filter((room) => !existsSync(join(repositoryRoot, room)))).toEqual([]);
  });

  test('has no source file above 400 lines', () => {
    const long = files
      .filter(({ path, text }) => isCode(path) && text.split('\n').length > LINES_MAX)
      .map(({ path }) => path);
    expect(long).toEqual([]);
  });

  test('leaves nothing for later', () => {
    expect(linesWith(/\b(TODO|FIXME|XXX|HACK)\b/, isCode)).toEqual([]);
  });

  test('knows no path of a machine it was written on', () => {
    expect(linesWith(/(^|[\s'"`(=:])\/(work|root|home\/\w+|Users\/\w+)\//, () => true)).toEqual([]);
  });
});

describe('tests', () => {
  test('are never skipped and never run alone', () => {
    const marks = /\b(test|it|describe)\.(skip|only|todo|failing)\b|\b(xit|xtest|xdescribe|fit|fdescribe)\(/;
    expect(linesWith(marks, isTest)).toEqual([]);
  });

  test('wait for a state, never for a time', () => {
    expect(linesWith(/\b(sleep|delay)\(\s*[\d_.]+|setTimeout\(\s*\w+\s*,\s*[\d_]+\s*\)\)/, isTest)).toEqual(
      [],
    );
  });
});

describe('documents', () => {
  test('link only to files that exist', () => {
    const broken = files
      .filter(({ path }) => path.endsWith('.md'))
      .flatMap(({ path, text }) =>
        [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
          .map(([, link = '']) => link)
          .filter((link) => !/^[a-z]+:/.test(link))
          .filter((link) => !existsSync(join(repositoryRoot, dirname(path), link)))
          .map((link) => `${path}: ${link}`),
      );
    expect(broken).toEqual([]);
  });

  test('name only npm scripts that exist', async () => {
    const manifest = JSON.parse(await readFile(join(repositoryRoot, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = files
      .filter(({ path }) => path.endsWith('.md'))
      .flatMap(({ path, text }) =>
        [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, script = '']) => ({ path, script })),
      );
    expect(named.filter(({ script }) => !(script in manifest.scripts))).toEqual([]);
  });
});
