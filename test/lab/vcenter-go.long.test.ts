import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { vcenterSources } from '../../lab/tools/vcenter.ts';

/** Compiling the simulator for the first time takes longest. */
const BUILD_AND_TEST_MS = 300_000;

test(
  'the practice vCenter keeps its own promises (go test ./...)',
  async () => {
    const child = spawn('go', ['test', './...'], { cwd: vcenterSources, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
  },
  BUILD_AND_TEST_MS,
);
