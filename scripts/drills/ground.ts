/** A practice ground of small machines in lanes: each lane is a plan of one or two machines that drills by itself. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contract } from '../../api/contract.ts';
import { installApplication } from '../../lab/application.ts';
import { Flow } from '../../test/e2e/support/flow.ts';
import { startPractice, type Practice } from '../../test/support/harness.ts';

export interface Lane {
  readonly index: number;
  readonly machines: readonly string[];
  /** Its probe gets an answer. */
  readonly plan: string;
  /** Its probe never does. */
  readonly silentPlan: string;
}

export interface Ground {
  readonly practice: Practice;
  readonly lanes: readonly Lane[];
}

const DISK_MIB = 4;
const PORT = 7_000;
const SILENT_PORT = 7_001;
const POLICY = 'quick';
const INTERVAL = '20s';
/** Every fourth lane rehearses two machines, one after the other. */
const ONE_IN_PAIR = 4;

export function lanesOf(count: number): Lane[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `m${String(index).padStart(2, '0')}`;
    const machines = index % ONE_IN_PAIR === ONE_IN_PAIR - 1 ? [`${name}-a`, `${name}-b`] : [`${name}-a`];
    return { index, machines, plan: `${name}-answers`, silentPlan: `${name}-silent` };
  });
}

/** Every machine protected, every plan applied, none scheduled. */
export async function openGround(seed: number, lanes: readonly Lane[]): Promise<Ground> {
  const machines = lanes.flatMap((lane) => lane.machines);
  const practice = await startPractice({
    seed,
    answeringGuests: true,
    machines: machines.map((name) => ({ name, poweredOn: true, disks: [{ mib: DISK_MIB }] })),
  });
  try {
    const flow = new Flow(practice, machines[0] ?? '');
    await flow.addVCenter();
    await flow.must('policy', 'create', POLICY, '--interval', INTERVAL, '--retention', '1h');
    for (const machine of machines) {
      await installApplication(practice.lab.guest, machine, { name: machine, tcp: [PORT] });
      const each = new Flow(practice, machine);
      await each.succeeds(await each.protect(POLICY));
    }
    for (const lane of lanes) {
      await applyPlan(practice, lane.plan, lane.machines, PORT);
      await applyPlan(practice, lane.silentPlan, lane.machines, SILENT_PORT);
    }
    return { practice, lanes };
  } catch (error) {
    await practice.stop();
    throw error;
  }
}

async function applyPlan(
  practice: Practice,
  name: string,
  machines: readonly string[],
  port: number,
): Promise<void> {
  const file = join(practice.lab.paths.folder, `${name}.yaml`);
  await writeFile(file, planText(name, machines, port, practice.lab.addresses.isolatedSubnetId));
  const applied = await practice.switchback(['plan', 'apply', file]);
  if (applied.exitCode !== 0) throw new Error(`plan apply ${name}: ${applied.stderr}`);
  const cron = '0 3 1 1 *';
  await practice.api.call(contract.putPlanSchedule, {
    params: { name },
    body: { cron, timeZone: 'UTC', jitterSeconds: 0, blackouts: [] },
  });
}

function planText(name: string, machines: readonly string[], port: number, subnet: string): string {
  const groups = machines.map((machine, index) => {
    const after = index === 0 ? '' : `\n    after: ${machines[index - 1]}`;
    return `  - name: ${machine}${after}
    members: [{ machine: ${machine} }]
    steps:
      after:
        - name: ${machine}-answers
          when: [test]
          timeout: 10s
          probe: { kind: tcp, machine: ${machine}, port: ${port} }`;
  });
  return `apiVersion: switchback/v1
kind: RecoveryPlan
name: ${name}
drill: { subnet: '${subnet}' }
groups:
${groups.join('\n')}
`;
}
