/** The acts of the demo, in order. Each prints what it does and leaves the facts that the verdict needs. */
import type { Job } from '../../api/jobs.ts';
import type { ProtectedItemDetail } from '../../api/protected-items.ts';
import type { RecoveryPointView } from '../../api/replication.ts';
import { RUN_TAG } from '../../domain/names.ts';
import type { Lab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import type { ReplicationTotals } from '../../domain/replication.ts';
import type { CleanupResult, FailoverResult } from '../../workflows/contracts/types.ts';
import { verdict, type DiskVerdict } from '../verdict.ts';
import type { CommandLine } from './command-line.ts';
import { megabytes, type Screen } from './screen.ts';

export interface Stage {
  readonly lab: Lab;
  readonly screen: Screen;
  readonly cli: CommandLine;
}

/** A run in Azure and what its disks were found to hold. */
export interface Proven {
  readonly result: FailoverResult;
  readonly disks: readonly DiskVerdict[];
}

export const MACHINE = 'shop-01';
export const jobIds = {
  protect: 'demo-protect',
  drill: 'demo-drill',
  cleanup: 'demo-cleanup',
  failover: 'demo-failover',
  commit: 'demo-commit',
} as const;

export type Totals = ReplicationTotals;
const NOTHING: Totals = { cycles: 0, readBytes: 0, rawBytes: 0, wireBytes: 0 };
const GUEST_BYTES_PER_SECOND = 2 ** 20;
const POINTS_WANTED = 2;

/** What protects a machine of the lab, whichever. */
export function protection({ arm, productionSubnetId }: Lab['addresses']) {
  const size = 'Standard_D2s_v5';
  return { policy: 'demo', location: arm.location, size, subnet: productionSubnetId } as const;
}

export async function protectMachine({ lab, screen, cli }: Stage): Promise<void> {
  const { vcenter } = lab.addresses;
  screen.note(`vCenter's certificate, to be pinned: SHA-256 ${vcenter.certificateSha256}`);
  await cli.run('vcenter add practice', {
    url: vcenter.url,
    username: vcenter.username,
    'password-file': vcenter.passwordFile,
    fingerprint: vcenter.certificateSha256,
  });
  await cli.run('machine list');
  await cli.run('policy create demo', { interval: '5s', retention: '1h' });
  await cli.run(`item protect ${MACHINE}`, {
    ...protection(lab.addresses),
    'operation-id': jobIds.protect,
    wait: true,
  });
}

export async function replicate({ lab, screen, cli }: Stage): Promise<void> {
  await lab.guest.startWorkload({
    machine: MACHINE,
    seed: lab.seed,
    bytesPerSecond: GUEST_BYTES_PER_SECOND,
  });
  screen.note(
    `${MACHINE} writes ${megabytes(GUEST_BYTES_PER_SECOND)}/s into its database from now on (seed ${lab.seed})`,
  );
  const before = (await points(cli)).length;
  await waitForPoints(cli, before + POINTS_WANTED);
  await cli.run(`item points ${MACHINE}`);
  await cli.run(`item show ${MACHINE}`);
}

/** The drill's disks are judged before cleanup takes them away. */
export async function drill({ lab, screen, cli }: Stage): Promise<Proven> {
  const before = (await points(cli)).length;
  await cli.run(`item test-failover ${MACHINE}`, {
    subnet: lab.addresses.isolatedSubnetId,
    'operation-id': jobIds.drill,
    wait: true,
  });
  const result = await resultOf<FailoverResult>(cli, jobIds.drill);
  screen.note(`${nameOf(result.vmId)} runs at ${result.privateIpAddress} on point ${result.point.pointId}`);
  const disks = await judge({ lab, cli }, result);
  const after = (await waitForPoints(cli, before + 1)).length;
  screen.note(`replication went on meanwhile: ${before} recovery points before the drill, ${after} now`);
  screen.line('');
  await cli.run(`item cleanup ${MACHINE}`, {
    notes: 'the shop came up',
    'operation-id': jobIds.cleanup,
    wait: true,
  });
  const { remaining } = await resultOf<CleanupResult>(cli, jobIds.cleanup);
  const left = (await lab.azure.resources()).filter(({ tags }) => tags[RUN_TAG] === result.runId);
  if (remaining.length + left.length > 0) {
    throw new Error(`the drill left behind: ${[...remaining, ...left.map(({ id }) => id)].join(', ')}`);
  }
  screen.note(`Azure lists nothing that carries ${RUN_TAG}=${result.runId}`);
  return { result, disks };
}

export async function failOver({ lab, screen, cli }: Stage): Promise<Proven & { readonly deltas: Totals }> {
  const { activities } = await item(cli);
  const deltas = activities.find(({ totals }) => totals !== undefined)?.totals ?? NOTHING;
  await cli.run(`item failover ${MACHINE}`, {
    point: 'latest',
    yes: true,
    'operation-id': jobIds.failover,
    wait: true,
  });
  const wrote = await lab.guest.stopWorkload(MACHINE);
  const result = await resultOf<FailoverResult>(cli, jobIds.failover);
  screen.note(`the guest wrote ${megabytes(wrote.bytes)} until it was shut down`);
  screen.note(`${nameOf(result.vmId)} runs at ${result.privateIpAddress} on point ${result.point.pointId}`);
  screen.line('');
  await cli.run(`item commit ${MACHINE}`, { yes: true, 'operation-id': jobIds.commit, wait: true });
  return { result, disks: await judge({ lab, cli }, result), deltas };
}

async function judge(
  { lab, cli }: Pick<Stage, 'lab' | 'cli'>,
  result: FailoverResult,
): Promise<DiskVerdict[]> {
  const { spec } = await item(cli);
  const disks = [...(spec?.disks ?? [])].sort((a, b) => a.index - b.index);
  if (disks.length !== result.diskIds.length) {
    throw new Error(`${disks.length} disks are protected, the run made ${result.diskIds.length}`);
  }
  return verdict({
    guest: lab.guest,
    azure: lab.azure,
    machine: MACHINE,
    snapshotName: result.point.snapshotName,
    disks: disks.map(({ deviceKey }, index) => ({ deviceKey, azureDiskId: result.diskIds[index] ?? '' })),
  });
}

async function waitForPoints(cli: CommandLine, count: number): Promise<readonly RecoveryPointView[]> {
  return waitFor(
    async () => {
      const seen = await points(cli);
      return seen.length >= count && seen;
    },
    { what: `${count} recovery points`, withinMs: 180_000, everyMs: 1_000 },
  );
}

export function item(cli: CommandLine): Promise<ProtectedItemDetail> {
  return cli.read(`item show ${MACHINE}`);
}

export function points(cli: CommandLine): Promise<readonly RecoveryPointView[]> {
  return cli.read(`item points ${MACHINE}`);
}

export function job(cli: CommandLine, id: string): Promise<Job> {
  return cli.read(`job show ${id}`);
}

export async function resultOf<T>(cli: CommandLine, id: string): Promise<T> {
  return (await job(cli, id)).result as unknown as T;
}

function nameOf(id: string): string {
  return id.split('/').at(-1) ?? id;
}
