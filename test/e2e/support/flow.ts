/**
 * One machine's way through the product, as an operator takes it: the real CLI, repeated with the same operation id while
 * something is down. Looking, which tests do often, goes through the API's own client.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from '../../../api/client.ts';
import { contract } from '../../../api/contract.ts';
import type { Job, Task } from '../../../api/jobs.ts';
import type { ProtectedItemDetail } from '../../../api/protected-items.ts';
import type { RecoveryPointView } from '../../../api/replication.ts';
import { DrError } from '../../../domain/errors.ts';
import type { FailoverResult } from '../../../workflows/contracts/types.ts';
import { waitFor } from '../../../lab/wait.ts';
import { verdict } from '../../../scripts/verdict.ts';
import type { Practice, PracticeResult } from '../../support/harness.ts';

/** CLI exit code of "out of reach": the only answer a crash may cause. */
const OUT_OF_REACH = 6;
const TRIES_MAX = 120;
const ENDS_WITHIN_MS = 300_000;
const POINTS_LOOKED_AT = 100;

export const VCENTER = 'practice';
export const SIZE = 'Standard_D2s_v5';

export class Flow {
  readonly practice: Practice;
  readonly machine: string;

  constructor(practice: Practice, machine: string) {
    this.practice = practice;
    this.machine = machine;
  }

  async addVCenter(): Promise<PracticeResult> {
    const { url, username, passwordFile } = this.practice.lab.addresses.vcenter;
    const given = ['--url', url, '--username', username, '--password-file', passwordFile, '--yes'];
    return this.must('vcenter', 'add', VCENTER, ...given);
  }

  /** Five lines an operator types; each must succeed. */
  async must(...args: string[]): Promise<PracticeResult> {
    const result = await this.practice.switchback([...args, '--output', 'json']);
    if (result.exitCode !== 0)
      throw new Error(`${args.join(' ')}: exit ${result.exitCode}\n${result.stderr}`);
    return result;
  }

  /** Starts an operation; while a part is down it is asked for again under the same id, which must stay one job. */
  async start(...args: string[]): Promise<string> {
    const { id, accepted } = this.begin(...args);
    await accepted;
    return id;
  }

  /** As `start`, for those who look at the job before the command has ended. */
  begin(...args: string[]): { readonly id: string; readonly accepted: Promise<unknown> } {
    const id = randomUUID();
    return { id, accepted: this.insist([...args, '--operation-id', id]) };
  }

  protectArgs(policy: string): string[] {
    const { arm, productionSubnetId } = this.practice.lab.addresses;
    const target = ['--location', arm.location, '--size', SIZE, '--subnet', productionSubnetId];
    return ['item', 'protect', this.machine, '--policy', policy, ...target];
  }

  async protect(policy: string, ...more: string[]): Promise<string> {
    return this.start(...this.protectArgs(policy), ...more);
  }

  async insist(args: readonly string[]): Promise<PracticeResult> {
    for (let tries = 1; ; tries += 1) {
      const result = await this.practice.switchback([...args, '--output', 'json']);
      if (result.exitCode === 0) return result;
      if (result.exitCode !== OUT_OF_REACH || tries === TRIES_MAX) {
        throw new Error(`${args.join(' ')}: exit ${result.exitCode}\n${result.stderr}`);
      }
      await pause(250);
    }
  }

  async job(id: string): Promise<Job> {
    return reachable(() => this.practice.api.call(contract.getJob, { params: { id } }));
  }

  /** Undefined while nobody knows it, or nobody answers. */
  async jobSeen(id: string): Promise<Job | undefined> {
    return this.practice.api.call(contract.getJob, { params: { id } }).catch((error: unknown) => {
      if (isOutOfReach(error) || (error instanceof ApiError && error.code === 'DR_JOB_UNKNOWN'))
        return undefined;
      throw error;
    });
  }

  /** Waits until the job has this task, wherever in its tree, in this state, or is over. */
  async taskIs(id: string, task: string, states: readonly string[]): Promise<void> {
    await waitFor(
      async () => {
        const job = await this.jobSeen(id);
        const found = taskOf(job?.tasks ?? [], task);
        return job?.endedAt !== undefined || (found !== undefined && states.includes(found.state));
      },
      {
        what: `task ${task} of job ${id} to be ${states.join(' or ')}`,
        withinMs: ENDS_WITHIN_MS,
        everyMs: 50,
      },
    );
  }

  /** Waits until the job is over or asks for a decision. */
  async pauses(id: string): Promise<Job> {
    return waitFor(
      async () => {
        const job = await this.job(id);
        return job.endedAt === undefined && job.state !== 'waitingForInput' ? undefined : job;
      },
      { what: `job ${id} to end`, withinMs: ENDS_WITHIN_MS, everyMs: 100 },
    );
  }

  async succeeds(id: string): Promise<Job> {
    const job = await this.pauses(id);
    if (job.state === 'succeeded') return job;
    const failed = flat(job.tasks).flatMap(({ id: task, error }) =>
      error === undefined ? [] : [`${task}: ${error.code} ${error.message}`],
    );
    throw new Error(`${job.kind} ${id} is ${job.state}: ${JSON.stringify(job.error)}; ${failed.join('; ')}`);
  }

  async item(): Promise<ProtectedItemDetail> {
    return reachable(() => this.practice.api.call(contract.getItem, { params: { id: this.machine } }));
  }

  async itemIs(
    what: string,
    holds: (item: ProtectedItemDetail) => boolean,
    withinMs = ENDS_WITHIN_MS,
  ): Promise<ProtectedItemDetail> {
    return waitFor(
      async () => {
        const item = await this.item();
        return holds(item) ? item : undefined;
      },
      { what, withinMs, everyMs: 100 },
    );
  }

  async isFree(): Promise<ProtectedItemDetail> {
    return this.itemIs('the slot to be free', (item) => item.running === undefined);
  }

  /** The newest first. */
  async points(): Promise<readonly RecoveryPointView[]> {
    const query = { limit: POINTS_LOOKED_AT };
    const page = await reachable(() =>
      this.practice.api.call(contract.listRecoveryPoints, { params: { id: this.machine }, query }),
    );
    return page.items;
  }

  /** Waits for a recovery point newer than all there are now. */
  async newPoint(): Promise<RecoveryPointView> {
    const before = (await this.points())[0]?.pointId ?? '';
    return waitFor(
      async () => {
        const newest = (await this.points())[0];
        return newest !== undefined && newest.pointId > before ? newest : undefined;
      },
      { what: 'a new recovery point', withinMs: ENDS_WITHIN_MS, everyMs: 250 },
    );
  }

  /** Azure holds, byte for byte, what the source disks held at the point. */
  async expectEqual(result: FailoverResult): Promise<void> {
    const { spec } = await this.item();
    const disks = (spec?.disks ?? []).map((disk) => ({
      deviceKey: disk.deviceKey,
      azureDiskId: result.diskIds[disk.index] ?? '',
    }));
    assert.ok(disks.length > 0);
    const verdicts = await verdict({
      guest: this.practice.lab.guest,
      azure: this.practice.lab.azure,
      machine: this.machine,
      snapshotName: result.point.snapshotName,
      disks,
    });
    assert.deepEqual(
      verdicts.map(({ deviceKey, equal, differing }) => ({ deviceKey, equal, differing })),
      disks.map(({ deviceKey }) => ({ deviceKey, equal: true, differing: [] })),
      `Azure does not hold what the source held at point ${result.point.pointId}`,
    );
  }

  /** Exactly one group, one machine, one interface, the disks and, of a real run, their baseline carry the run's tag. */
  async expectOneOfEach(result: FailoverResult): Promise<void> {
    const made = await this.practice.resourcesOfRuns(result.runId);
    const types = made.map((each) => each.type.toLowerCase().split('/').at(-1) ?? '').toSorted(byText);
    const disks = result.diskIds.map(() => 'disks');
    const baseline = (result.baselineSnapshotIds ?? []).map(() => 'snapshots');
    const others = ['networkinterfaces', 'resourcegroups', 'virtualmachines'];
    assert.deepEqual(types, [...disks, ...baseline, ...others].toSorted(byText));
  }
}

function flat(tasks: readonly Task[]): Task[] {
  return tasks.flatMap((task) => [task, ...flat(task.children ?? [])]);
}

/** Wherever in the tree. */
export function taskOf(tasks: readonly Task[], id: string): Task | undefined {
  return flat(tasks).find((task) => task.id === id);
}

/** Looks again while something is down. */
async function reachable<T>(look: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await look();
    } catch (error) {
      if (!isOutOfReach(error) || tries === TRIES_MAX * 5) throw error;
      await pause(100);
    }
  }
}

function isOutOfReach(error: unknown): boolean {
  if (error instanceof ApiError) return error.exit === OUT_OF_REACH;
  return error instanceof DrError && error.code === 'DR_SERVER_UNREACHABLE';
}

const byText = (a: string, b: string) => a.localeCompare(b);
