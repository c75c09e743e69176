/** Where our CPU time goes: a first copy until point with both processes profiled. Its times are not for comparing. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scenario } from '../bench-run.ts';
import type { Driver } from '../driver.ts';
import { cpuSeconds } from '../processes.ts';
import { parseProfile, scaledTo, secondsByStage } from '../profile.ts';
import { withRig } from '../rig.ts';
import type { Metrics } from '../rows.ts';
import { OurSeries } from './our-series.ts';

export const profileScenario: Scenario = {
  name: 'profile',
  what: 'CPU seconds by stage of our processes, which name the next bottleneck',
  async run(bench) {
    bench.tell('profile: a first copy until point, profiled');
    const contenders = await withRig(bench, { label: 'profile', tls: true }, async (rig) => {
      const folder = join(rig.folder, 'profiles');
      const nodeOptions = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
      const series = await OurSeries.open(bench, rig, 'point', { nodeOptions });
      const { serverCpuSeconds = 0, sourceCpuSeconds = 0 } = await series.first();
      const ship = await stagesOf(series.shipper, folder);
      const apply = await stagesOf(series.applier, folder);
      const others = { 'storage emulator': serverCpuSeconds, 'NBD server': sourceCpuSeconds };
      return { shipping: ran(ship), applying: ran(apply), servers: ran(others) };
    });
    bench.record({ row: 'stages', title: 'CPU seconds by stage', contenders });
  },
};

const ran = (metrics: Metrics) => ({ runs: [metrics] });

/** Ends the driver: it writes its profiles then, one for each of its threads. */
async function stagesOf(driver: Driver<object>, folder: string): Promise<Metrics> {
  const total = cpuSeconds(driver.pid);
  await driver.stop();
  const names = (await readdir(folder)).filter((name) => name.split('.')[3] === String(driver.pid));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  if (texts.length === 0) throw new Error(`process ${driver.pid} wrote no profile`);
  return Object.fromEntries(scaledTo(secondsByStage(texts.map(parseProfile)), total));
}
