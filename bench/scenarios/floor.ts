/** How fast a first copy until point could be on this machine: the CPU seconds it cannot avoid, over all cores. */
import { availableParallelism } from 'node:os';
import type { BenchRun, Scenario } from '../bench-run.ts';
import type { StageCalls } from '../drivers/stage.ts';
import { debianTool } from '../../lab/tools/debian.ts';
import { metered, withRig, type Rig } from '../rig.ts';
import { OURS, type Metrics } from '../rows.ts';
import { timed } from '../shell.ts';

export const floorScenario: Scenario = {
  name: 'floor',
  what: 'CPU seconds of each stage a first copy cannot avoid, measured alone, ÷ cores',
  async run(bench) {
    bench.tell('floor: every stage alone');
    const runs: Metrics[] = [];
    for (let round = 1; round <= bench.options.runs; round += 1) {
      runs.push(await withRig(bench, { label: 'floor', tls: true }, (rig) => floorOf(bench, rig)));
    }
    const title = 'floor: CPU of stages that cannot be avoided ÷ cores';
    bench.record({ row: 'floor', title, contenders: { [OURS]: { runs } } });
  },
};

async function floorOf(bench: BenchRun, rig: Rig): Promise<Metrics> {
  const read = await readOverNbd(bench, rig);
  const driver = await rig.startDriver<StageCalls>({ program: 'stage' });
  const { stages, dataBytes, sealedBytes } = await driver.call('compute', { image: bench.image });
  await driver.call('open', rig.vault);
  const storage: Record<string, number> = {};
  let serverCpuSeconds = 0;
  for (const [call, bytes, stage] of [
    ['putBlobs', sealedBytes, 'put segments'],
    ['getBlobs', sealedBytes, 'get segments'],
    ['putPages', dataBytes, 'put pages'],
  ] as const) {
    const probe = { namespace: rig.namespace, pids: { server: rig.azurite.pid } };
    const { result, metrics } = await metered(probe, () => driver.call(call, { bytes }));
    storage[`${stage}, HTTPS client`] = result.cpuSeconds;
    storage[`${stage}, storage emulator`] = metrics['serverCpuSeconds'] ?? 0;
    serverCpuSeconds += metrics['serverCpuSeconds'] ?? 0;
  }
  const all = { ...read, ...stages, ...storage };
  const cpuSeconds = Object.values(all).reduce((sum, value) => sum + value, 0);
  const sourceCpuSeconds = read['NBD server'] ?? 0;
  return {
    wallSeconds: cpuSeconds / availableParallelism(),
    clientCpuSeconds: cpuSeconds - serverCpuSeconds - sourceCpuSeconds,
    serverCpuSeconds,
    sourceCpuSeconds,
    ...Object.fromEntries(Object.entries(all).map(([stage, value]) => [`stage: ${stage}`, value])),
  };
}

/** The protocol every source speaks, by its own C client. */
async function readOverNbd(bench: BenchRun, rig: Rig): Promise<Record<string, number>> {
  const source = await rig.exportImage(bench.image);
  const { result, metrics } = await metered({ namespace: rig.namespace, pids: { source: source.pid } }, () =>
    timed({
      prefix: [],
      command: debianTool('nbdcopy'),
      args: [`nbd+unix:///?socket=${source.socketPath}`, 'null:'],
      folder: rig.folder,
      signal: bench.signal,
    }),
  );
  return { 'NBD client': result.cpuSeconds, 'NBD server': metrics['sourceCpuSeconds'] ?? 0 };
}
