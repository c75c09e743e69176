/** Every process killed while a recovery plan rehearses and cleans up two machines: one drill of each, and nothing left. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPractice, type Practice } from '../support/harness.ts';
import { seededRandom } from '../support/random.ts';
import { Flow } from './support/flow.ts';
import { kill, type Victim } from './support/strike.ts';

const PLAN = `apiVersion: switchback/v1
kind: RecoveryPlan
name: pair
groups:
  - name: first
    members: [{ machine: one-01 }]
  - name: second
    after: first
    members: [{ machine: two-01 }]
    steps:
      after:
        - name: settle
          wait: 1s
`;
const MACHINES = ['one-01', 'two-01'];

let practice: Practice;
let flow: Flow;
const random = seededRandom('plan and kills');

beforeAll(async () => {
  const { seed } = random;
  const machines = MACHINES.map((name, index) => ({
    name,
    poweredOn: true,
    disks: [{ mib: 16, filesystem: 'ext4', seed: seed + index } as const],
  }));
  practice = await startPractice({ seed, machines });
  flow = new Flow(practice, 'one-01');
  await flow.addVCenter();
  await flow.must('policy', 'create', 'quick', '--interval', '5s', '--retention', '1h');
  for (const machine of MACHINES) {
    const each = new Flow(practice, machine);
    await each.succeeds(await each.protect('quick'));
  }
  const file = join(practice.lab.paths.folder, 'pair.yaml');
  await writeFile(file, PLAN);
  await flow.must('plan', 'apply', file);
}, 400_000);
afterAll(() => practice?.stop(), 60_000);

/** Kills while the machine's part of the run is under way, and sees the run succeed. */
async function killDuring(id: string, machine: string, victim: Victim): Promise<void> {
  await flow.taskIs(id, `machine-${machine}`, ['inProgress']);
  await kill(practice, victim);
  await flow.succeeds(id);
}

const subnet = () => practice.lab.addresses.isolatedSubnetId;
const victims: readonly Victim[] = ['configuration-server', 'recovery-site', 'process-server', 'temporal'];

test.each(victims)(
  'killing %s neither repeats a drill nor loses one',
  async (victim) => {
    const struck = MACHINES[random.below(MACHINES.length)] ?? 'one-01';
    const drill = await flow.start('plan', 'run', 'pair', 'test', '--subnet', subnet());
    await killDuring(drill, struck, victim);
    for (const [index] of MACHINES.entries()) {
      const made = await practice.resourcesOfRuns(`${drill}-${index}-m-1`);
      expect(made.filter(({ type }) => type === 'Microsoft.Compute/virtualMachines')).toHaveLength(1);
    }
    const cleanup = await flow.start('plan', 'run', 'pair', 'cleanup');
    await killDuring(cleanup, struck, victim);
    expect(await practice.resourcesOfRuns()).toEqual([]);
  },
  600_000,
);
