/** A sample of `npm run fuzz`: the same targets, a few hundred inputs each. */
import { expect, test } from '@jest/globals';
import { fuzz } from './fuzz/run.ts';
import { Finding } from './fuzz/target.ts';
import { fuzzTargets } from './fuzz/targets.ts';
import { seededRandom } from './support/random.ts';

const INPUTS = 1_800;
const seed = seededRandom('fuzz').int(2 ** 31);

/** Refusals that only inputs get that are well-formed up to there: without them the fuzz tests nothing but a checksum. */
const depth: Readonly<Record<string, string>> = {
  'segment altered': 'the trailer is not authentic',
  'segment forged with the key': 'lies outside the disk',
  'segment opened as a stream': 'the checksum of a record',
  'nbd handshake': 'broke the NBD handshake',
  'nbd replies': 'gaps or overlaps',
  barrier: 'is altered',
  manifest: 'is altered',
  'replica metadata': 'not understood',
  'changed areas': 'was not understood',
};

test.each(fuzzTargets.map((target) => [target.name, target] as const))(
  '%s: mutated bytes are refused by name or understood, within a bound of memory',
  async (name, target) => {
    const shares = fuzzTargets.reduce((sum, { share }) => sum + share, 0);
    const inputs = Math.max(Math.round((INPUTS * target.share) / shares), 150);
    const { findings, outcomes } = await fuzz(target, { seed, inputs });
    expect(findings.map(({ index, what }) => `seed ${seed}, input ${index}: ${what}`)).toEqual([]);
    const deep = depth[name] ?? 'no depth is known';
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining([expect.stringContaining(deep)]));
    expect(outcomes.get('accepted') ?? outcomes.size).toBeGreaterThan(0);
  },
);

test('a reader that crashes, asks for too much or accepts a lie is found, and its input made shorter', async () => {
  const base = { share: 1, bufferBytesMax: 1024, input: () => Buffer.from('....!....', 'latin1') };
  const crash = await fuzz(
    {
      ...base,
      name: 'crash',
      run: (bytes) => (bytes.includes('!') ? (null as unknown as string).trim() : 'well'),
    },
    { seed, inputs: 1 },
  );
  expect(crash.findings[0]?.what).toContain('TypeError');
  expect(Buffer.from(crash.findings[0]?.minimised ?? []).toString()).toBe('!');
  const greedy = await fuzz(
    { ...base, name: 'greedy', run: () => String(Buffer.allocUnsafe(2048).length) },
    { seed, inputs: 1 },
  );
  expect(greedy.findings[0]?.what).toContain('more than its bound');
  const credulous = {
    ...base,
    name: 'credulous',
    run: () => Promise.reject(new Finding('a lie was accepted')),
  };
  expect((await fuzz(credulous, { seed, inputs: 99 })).findings).toHaveLength(10);
});
