/** Verification's scan of a source beside `dd`, both from memory and both from the disk. */
import type { BenchRun, Scenario } from '../bench-run.ts';
import type { Driver } from '../driver.ts';
import type { ScanCalls } from '../drivers/scan.ts';
import { startDriver } from '../driver.ts';
import { cpuSeconds, memoryOf } from '../processes.ts';
import { OURS, RowBook, type Metrics } from '../rows.ts';
import { startNbdExport } from '../servers.ts';
import { run, timed } from '../shell.ts';

const titles = {
  'scan-warm': 'verification scan, disk in memory',
  'scan-cold': 'verification scan, disk not in memory',
} as const;

export const scanScenario: Scenario = {
  name: 'scan',
  what: 'hashing a source for verification beside dd, with the disk in memory and not',
  async run(bench) {
    const book = new RowBook(titles);
    const driver = await startDriver<ScanCalls>({
      namespace: null,
      program: 'scan',
      folder: bench.folder,
      signal: bench.signal,
    });
    try {
      for (const row of ['scan-warm', 'scan-cold'] as const) {
        const file = row === 'scan-warm' ? bench.image : bench.original.file;
        const prepare = row === 'scan-warm' ? async () => undefined : () => evict(file);
        for (let round = 1; round <= bench.options.runs; round += 1) {
          bench.tell(`${row}, round ${round} of ${bench.options.runs}`);
          await prepare();
          book.add(row, OURS, await scan(bench, driver, file));
          await prepare();
          book.add(row, 'dd', await readAll(bench, file));
        }
      }
    } finally {
      await driver.stop();
    }
    for (const row of book.rows()) bench.record(row);
  },
};

/** Drops the file's clean pages from memory. */
async function evict(file: string): Promise<void> {
  await run('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none']);
}

async function scan(bench: BenchRun, driver: Driver<ScanCalls>, file: string): Promise<Metrics> {
  const capacityBytes = bench.original.bytes;
  const source = await startNbdExport(file, `${bench.folder}/scan.sock`, 'read');
  try {
    const { socketPath } = source;
    const scanned = await driver.call('scan', { socketPath, capacityBytes });
    const { blockBytes, sha256, wallSeconds } = scanned;
    const metrics = {
      wallSeconds,
      clientCpuSeconds: scanned.cpuSeconds,
      sourceCpuSeconds: cpuSeconds(source.pid),
      clientRssBytes: memoryOf(driver.pid).peakBytes,
    };
    const expected = await driver.call('expect', { file, capacityBytes, blockBytes });
    if (sha256 !== expected) throw new Error('the scan hashed other bytes than the disk holds');
    return metrics;
  } finally {
    await source.stop();
  }
}

async function readAll(bench: BenchRun, file: string): Promise<Metrics> {
  const { wallSeconds, cpuSeconds: seconds } = await timed({
    prefix: [],
    command: 'dd',
    args: [`if=${file}`, 'of=/dev/null', 'bs=4M', 'status=none'],
    folder: bench.folder,
    signal: bench.signal,
  });
  return { wallSeconds, clientCpuSeconds: seconds };
}
