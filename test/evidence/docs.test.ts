/** docs/evidence.md and examples/evidence/: what they show is what happens. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sealRecord } from '../../domain/evidence/chain.ts';
import { runCli } from '../cli/run.ts';
import {
  exampleKey,
  fileOf,
  publicKeyOf,
  sampleRecord,
  signerOf,
  SOFTWARE,
  verdictOf,
} from './support/bundle.ts';

const run = promisify(execFile);
let folder: string;
let page: string;
let blocks: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchback-evidence-'));
  page = await readFile('docs/evidence.md', 'utf8');
  blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, commands = '']) => commands);
});
afterAll(() => rm(folder, { recursive: true }));

async function shell(commands: string | undefined): Promise<readonly string[]> {
  const { stdout } = await run('sh', ['-euc', commands ?? 'false'], {
    env: { PATH: process.env['PATH'], TMPDIR: folder },
  });
  return stdout.trim().split('\n');
}

test('the example is the bundle that version 1 has always made of its record', async () => {
  const example = await readFile('examples/evidence/shop-drill.html', 'utf8');
  expect(example).toBe(fileOf());
  expect(await readFile('examples/evidence/key.pub.pem', 'utf8')).toBe(publicKeyOf(exampleKey).pem);
  expect(verdictOf(example)).toMatchObject({ verdict: 'verified', isKeyTrusted: true });
});

test('every field of a record is named in the page', async () => {
  const types = await readFile('domain/evidence/record.ts', 'utf8');
  const fields = [...types.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name = '']) => name);
  expect(fields).toContain('instead');
  const lists = ['members', 'steps', 'decisions'];
  const unnamed = fields.filter((name) => !lists.includes(name) && !page.match(`\`(\\w+\\.)?${name}[.\`]`));
  expect(unnamed).toEqual([]);
});

test('the command line answers what the page says', async () => {
  const [, argv = '', answer] = /^\$ switchback (.*)\n([\s\S]*?)^```$/m.exec(page) ?? [];
  expect(await runCli(argv.split(' '))).toEqual({ exit: 0, stdout: answer, stderr: '' });
});

test('OpenSSL alone verifies signature, key id and hashes as the page says', async () => {
  const { entries, seal } = sealRecord(sampleRecord, signerOf(exampleKey), SOFTWARE);
  expect(blocks).toHaveLength(3);
  expect(await shell(blocks[0])).toEqual(['Signature Verified Successfully']);
  expect(await shell(blocks[1])).toEqual([seal.keyId, seal.keyId]);
  const hash = entries[7]?.hash;
  expect(await shell(blocks[2])).toEqual([hash, hash, hash]);
});
