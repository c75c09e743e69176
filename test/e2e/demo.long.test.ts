import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';

const WITHIN_MS = 900_000;

/** Its output is the product's, so what went wrong stands at its end. */
function demo(...args: readonly string[]): Promise<{ readonly code: number | null; readonly end: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['scripts/demo.ts', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const note = (chunk: Buffer) => (output += chunk.toString());
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, end: output.slice(-3_000) }));
  });
}

test(
  'the demo that the README begins with ends with its proof',
  async () => {
    expect(await demo('--seed', '7')).toEqual({
      code: 0,
      end: expect.stringContaining('Proven: every disk in Azure equals its source at that point.'),
    });
  },
  WITHIN_MS,
);

test(
  'the demo of a recovery plan ends with the application at home again',
  async () => {
    expect(await demo('--plan', 'shop')).toEqual({
      code: 0,
      end: expect.stringContaining(
        'Proven: the shop was rehearsed, moved to Azure and brought home by its plan.',
      ),
    });
  },
  WITHIN_MS,
);
