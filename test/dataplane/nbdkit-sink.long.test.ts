/** The sink against the server that stands before VMware's disks in production: nbdkit, with what makes servers differ. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openNbdSink } from '../../dataplane/sink/nbd-sink.ts';
import { KiB, MiB } from '../../domain/units.ts';
import { debianTool } from '../../lab/tools/debian.ts';
import { waitFor } from '../../lab/wait.ts';
import { seededRandom } from './support/random.ts';

const random = seededRandom('nbdkit sink');
const never = new AbortController().signal;
const SIZE = 64 * MiB;

/** Runs nbdkit on a file of noise for the time of `work`, and answers what the file holds afterwards. */
async function served(
  nbdkitFlags: readonly string[],
  work: (nbd: Parameters<typeof openNbdSink>[0], model: Buffer) => Promise<void>,
): Promise<{ readonly isEqual: boolean; readonly allocatedBytes: number }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchback-nbdkit-'));
  const [file, socketPath] = [path.join(folder, 'disk'), path.join(folder, 'socket')];
  const model = random.bytes(SIZE);
  await writeFile(file, model);
  const flags = nbdkitFlags.map((flag) => (flag === 'FILE' ? `file=${file}` : flag));
  const nbdkit = spawn(debianTool('nbdkit'), ['-f', '-U', socketPath, ...flags], { stdio: 'inherit' });
  const exited = once(nbdkit, 'exit');
  try {
    await waitFor(async () => (await stat(socketPath).catch(() => null)) !== null, {
      what: 'nbdkit to listen',
      withinMs: 10_000,
    });
    await work({ host: '', port: 0, socketPath, exportName: '', close: () => Promise.resolve() }, model);
    const { blocks } = await stat(file);
    return { isEqual: model.equals(await readFile(file)), allocatedBytes: blocks * 512 };
  } finally {
    nbdkit.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes and zeros of sectors and of MiB; a third of the disk becomes zeros in one piece. */
async function disturb(nbd: Parameters<typeof openNbdSink>[0], model: Buffer): Promise<void> {
  const sink = await openNbdSink(nbd, never);
  for (let count = 0; count < 60; count += 1) {
    const offset = random.int(SIZE / 512) * 512;
    const most = random.int(2) === 0 ? 8 * KiB : 5 * MiB;
    const length = Math.min(SIZE - offset, 512 * (1 + random.int(most / 512)));
    const bytes = random.int(3) === 0 ? null : random.bytes(length);
    if (bytes === null) await sink.zero(offset, length, never);
    else await sink.write(offset, bytes, never);
    model.fill(0, offset, offset + length);
    bytes?.copy(model, offset);
  }
  await sink.zero(20 * MiB + 512, 24 * MiB, never);
  model.fill(0, 20 * MiB + 512, 44 * MiB + 512);
  await sink.flush(never);
  const read = Buffer.alloc(SIZE);
  for (let at = 0; at < SIZE; at += 16 * MiB) await sink.read(at, read.subarray(at, at + 16 * MiB), never);
  expect(read.equals(model)).toBe(true);
  await sink.close();
}

test.each([
  ['as it is', ['file', 'FILE'], true],
  [
    'that says zeroing is slow',
    ['--filter=nozero', 'file', 'FILE', 'zeromode=notrim', 'fastzeromode=slow'],
    false,
  ],
  ['that cannot zero', ['--filter=nozero', 'file', 'FILE', 'zeromode=none'], false],
  [
    'that takes whole blocks of 4 KiB, 256 KiB at most',
    [
      '--filter=blocksize-policy',
      'file',
      'FILE',
      'blocksize-minimum=4096',
      'blocksize-preferred=64K',
      'blocksize-maximum=256K',
      'blocksize-error-policy=error',
    ],
    true,
  ],
] as const)(
  'a disk behind an nbdkit %s holds what was written, and zeros take no room where they need not',
  async (_title, flags, isThin) => {
    const { isEqual, allocatedBytes } = await served(flags, disturb);
    expect(isEqual).toBe(true);
    expect(allocatedBytes < SIZE - 16 * MiB).toBe(isThin);
  },
);
