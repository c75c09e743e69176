import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { repositoryRoot } from '../../lab/tools/cache.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-tools-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Asks for a tool in a process of its own, with only these variables. */
async function ask(tool: 'temporal' | 'vcenter', env: Record<string, string>) {
  const script = join(folder, 'ask.ts');
  await writeFile(
    script,
    `import { ${tool}Binary } from ${JSON.stringify(join(repositoryRoot, `lab/tools/${tool}.ts`))};
     try { console.log(await ${tool}Binary()); } catch (error) { console.log(error.code, error.message); }`,
  );
  const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  return output.trim();
}

async function executable(name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, 0o755);
  return path;
}

describe('a tool', () => {
  test('that a variable names goes before one on PATH', async () => {
    const named = await executable('mine');
    await executable('temporal');
    expect(await ask('temporal', { SWITCHBACK_TEMPORAL: named, PATH: folder })).toBe(named);
  });

  test('on PATH goes before one that would have to be fetched', async () => {
    const onPath = await executable('temporal');
    expect(await ask('temporal', { PATH: folder })).toBe(onPath);
  });

  test('that a variable names wrongly is refused with the command that helps', async () => {
    const answer = await ask('vcenter', { SWITCHBACK_VCENTER: join(folder, 'absent'), PATH: folder });
    expect(answer).toMatch(/^DR_TOOL_MISSING .*absent, which is not an executable file; run: unset/);
  });
});
