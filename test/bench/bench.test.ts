/** The arithmetic of the bench: nothing here measures. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { changedBytes, onePercent } from '../../bench/changes.ts';
import { drawChurn, formatChurn, parseChurn, type ChurnSample } from '../../bench/churn-plot.ts';
import { judge } from '../../bench/goals.ts';
import { parseOptions } from '../../bench/options.ts';
import { drawNewest } from '../../bench/plot.ts';
import { cpuSecondsIn, listensIn, receivedBytesIn } from '../../bench/processes.ts';
import { parseProfile, scaledTo, secondsByStage } from '../../bench/profile.ts';
import { seededStream } from '../../bench/random.ts';
import { appendResults, newestOf, parseResults, type Circumstances } from '../../bench/results.ts';
import { RowBook, type Row } from '../../bench/rows.ts';
import { renderStages } from '../../bench/stages.ts';
import { growth, percentile } from '../../bench/statistics.ts';
import { scale, ticks } from '../../bench/svg.ts';
import { renderTable } from '../../bench/table.ts';
import { GiB, KiB, MiB } from '../../domain/units.ts';

const circumstances: Circumstances = {
  run: '2030-01-02T03:04:05.000Z',
  commit: 'c'.repeat(40),
  dirty: false,
  machine: { cpu: 'a cpu', cores: 2, memoryMiB: 24_000, kernel: '6.18' },
  load: [0.1, 0.2, 0.3],
  versions: { node: '26.10.0' },
  seed: 7,
  quick: false,
  disk: { bytes: GiB, nonZeroBytes: 856 * MiB, sha256: 'd'.repeat(64) },
};

function firstCopy(): Row[] {
  const book = new RowBook({ 'first-durable': 'first copy', floor: 'floor' });
  book.add('first-durable', 'switchback', { wallSeconds: 3, wireBytes: 350 * MiB });
  book.add('first-durable', 'rclone', { wallSeconds: 5, wireBytes: 1_000 * MiB });
  book.add('first-durable', 'switchback', { wallSeconds: 2, wireBytes: 400 * MiB });
  book.cannot('first-durable', 'restic', 'it is not on PATH');
  return book.rows();
}

describe('goals', () => {
  test('compare the best run of each side, and what was not measured is neither met nor missed', () => {
    expect(judge(firstCopy()).map(({ what, value, met }) => ({ what, value, met }))).toEqual([
      { what: 'wall, × rclone', value: 0.4, met: true },
      { what: 'bytes, × rclone', value: 0.4, met: false },
      { what: 'wall, × restic', value: null, met: null },
    ]);
  });

  test('stand in the table below what they compare, and a peer that could not run says why', () => {
    const rows = firstCopy();
    const lines = renderTable(rows, judge(rows)).split('\n');
    expect(lines[1]).toMatch(/^first copy +switchback +2\.00 +400\.0 .* 2$/);
    expect(lines).toContainEqual(expect.stringMatching(/restic .*did not run: it is not on PATH/));
    expect(lines.at(-3)).toMatch(/→ wall, × rclone: 0\.400 \(goal ≤ 0\.500\) met$/);
    expect(lines.at(-2)).toMatch(/→ bytes, × rclone: 0\.400 \(goal ≤ 0\.360\) MISSED$/);
    expect(lines.at(-1)).toMatch(/→ wall, × restic: \(goal ≤ 0\.450\) not measured$/);
  });
});

describe('results', () => {
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'switchback-bench-'))));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('are read back as they were written, the newest of each row is drawn', async () => {
    const file = join(folder, 'results.jsonl');
    const older = [{ row: 'first-durable', title: 'an older one', contenders: {} }];
    await appendResults(file, circumstances, older, []);
    const rows = firstCopy();
    await appendResults(file, circumstances, rows, judge(rows));
    const lines = parseResults(await readFile(file, 'utf8'));
    expect(lines).toHaveLength(2);
    expect(newestOf(lines)).toEqual([{ version: 1, ...circumstances, ...rows[0], verdicts: judge(rows) }]);
    expect(await drawNewest(folder)).toEqual([join(folder, 'bench.svg')]);
    const svg = await readFile(join(folder, 'bench.svg'), 'utf8');
    expect(svg).toContain('2.00 s · 400 MiB');
    expect(svg).not.toContain('an older one');
  });

  test('that are none are refused by their line', () => {
    expect(() => parseResults('\n{"version":1}\n')).toThrow(/^line 2 is no result/);
  });
});

describe('a profile', () => {
  const frame = (id: number, functionName: string, url: string, children: number[] = []) => ({
    id,
    callFrame: { functionName, url },
    children,
  });
  const profile = parseProfile(
    JSON.stringify({
      nodes: [
        frame(1, '(root)', '', [2, 3, 5, 6]),
        frame(2, '(idle)', ''),
        frame(3, 'zstdCompressSync', 'node:zlib', [4]),
        frame(4, 'writeSync', ''),
        frame(5, 'crc32c', ''),
        frame(6, 'unknown', 'file:///somewhere.ts'),
      ],
      samples: [2, 4, 3, 5, 6, 2],
      timeDeltas: [0, 1_000_000, 200_000, 300_000, 400_000, 100_000],
    }),
  );

  test('is summed by stage: what has none counts for its caller, idle time for nothing', () => {
    const seconds = secondsByStage([profile, profile]);
    expect(Object.fromEntries(seconds)).toEqual({ zstd: 1, 'CRC-32C': 0.8, 'other JavaScript': 0.2 });
    expect(Object.fromEntries(scaledTo(seconds, 1))).toEqual({
      zstd: 0.5,
      'CRC-32C': 0.4,
      'other JavaScript': 0.1,
    });
  });

  test('names the next bottleneck', () => {
    const contenders = {
      shipping: { runs: [{ zstd: 1, NBD: 0.5, 'start of the process': 9 }] },
      servers: { runs: [{ 'storage emulator': 1.2 }] },
    };
    const text = renderStages([{ row: 'stages', title: '', contenders }]);
    expect(text).toContain('next bottleneck: storage emulator, 1.20 of 2.70 CPU seconds');
    expect(text).toContain('of our own: zstd, 1.00');
  });
});

describe('numbers', () => {
  test('of the kernel are found in its texts', () => {
    const stat = `42 (a (strange) name) S 1 42 42 0 -1 0 0 0 0 0 150 25 0 0 20 0 1 0 99 0 0`;
    expect(cpuSecondsIn(stat)).toBe(1.75);
    const devices = 'Inter-| Receive\n    lo: 1234 5 0 0 0 0 0 0 99 5\n  near:7 1 0 0 0 0 0 0 8 1\n';
    expect([receivedBytesIn(devices, 'lo'), receivedBytesIn(devices, 'near')]).toEqual([1234, 7]);
    const table = '  sl  local_address rem_address   st\n   0: 0100007F:2710 00000000:0000 0A 0\n';
    expect([listensIn(table, 10_000), listensIn(table, 10_001)]).toEqual([true, false]);
  });

  test('of a run over time: percentiles, growth, axes', () => {
    const values = Array.from({ length: 100 }, (_, index) => index);
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile([], 0.5)]).toEqual([50, 99, 0]);
    expect(growth([9, 9, 4, 4, 5, 5, 6, 6])).toBe(1.5);
    expect(ticks(9)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(scale([0, 10], [100, 200])(2.5)).toBe(125);
  });

  test('of a churn run come back from their file and are drawn', () => {
    const sample: ChurnSample = {
      seconds: 1,
      shippingRssMiB: 100,
      applyingRssMiB: 90,
      nbdServerRssMiB: 5,
      emulatorRssMiB: 300,
      rpoSeconds: 1.25,
      lagSeconds: 0.5,
    };
    const samples = [sample, { ...sample, seconds: 2 }];
    expect(parseChurn(formatChurn(samples))).toEqual(samples);
    expect(drawChurn(samples)).toContain('RPO: age of what is durable');
    expect(() => parseChurn('other,columns\n')).toThrow(/^not the columns/);
  });
});

describe('changes', () => {
  test('are one percent of the disk at distinct places, the same for the same seed', () => {
    const extents = onePercent(7, '4k', GiB);
    expect(extents).toHaveLength(2_621);
    expect(onePercent(7, '64k', GiB)).toHaveLength(163);
    expect(new Set(extents.map(({ offset }) => offset)).size).toBe(2_621);
    expect(onePercent(7, '4k', GiB)).toEqual(extents);
    expect(onePercent(8, '4k', GiB)).not.toEqual(extents);
    const bytes = () => changedBytes(seededStream(7, 'bytes'), 64 * KiB);
    expect(bytes().equals(bytes())).toBe(true);
  });
});

describe('the command line', () => {
  test('makes a quick run small and refuses what it does not understand', () => {
    expect(parseOptions(['--quick', '--only', 'copy'])).toMatchObject({
      runs: 1,
      diskMiB: 256,
      only: ['copy'],
    });
    expect(parseOptions(['--quick', '--runs', '4'])).toMatchObject({ runs: 4, diskMiB: 256 });
    expect(parseOptions([])).toMatchObject({ runs: 3, diskMiB: 1024, churnMinutes: 10, seed: 7 });
    expect(() => parseOptions(['--runs', 'many'])).toThrow('--runs takes a number from 1 to 100, not "many"');
    expect(() => parseOptions(['--runs', '1.5'])).toThrow('--runs takes a whole number, not "1.5"');
  });
});
