/** Where every trip begins: a protected machine whose guest writes, and everybody there who is needed to come home. */
import type { Practice } from '../../support/harness.ts';
import type { Random } from '../../support/random.ts';
import { Flow } from './flow.ts';
import type { Trip } from './moves.ts';

const HOME_BYTES_PER_SECOND = 256 * 1024;

export async function protectedMachine(practice: Practice, machine: string, random: Random): Promise<Trip> {
  const flow = new Flow(practice, machine);
  await practice.startTemporaryProcessServer();
  await flow.addVCenter();
  const every = ['--interval', '2s', '--failback-interval', '2s', '--retention', '1h'];
  await flow.must('policy', 'create', 'quick', ...every);
  await flow.succeeds(await flow.protect('quick'));
  const { seed } = random;
  await practice.lab.guest.startWorkload({ machine, seed, bytesPerSecond: HOME_BYTES_PER_SECOND });
  return { flow, random, machineInAzure: undefined };
}
