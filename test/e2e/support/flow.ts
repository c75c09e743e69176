/** One machine's way through the product, as an operator takes it: the real CLI, repeated with the same operation id while something is down. */
import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Job } from '../../../domain/job.ts';
import type { RecoveryPoint } from '../../../domain/replication.ts';
import type { FailoverResult, ItemView } from '../../../workflows/contracts/types.ts';
import { waitFor } from '../../../lab/wait.ts';
import { verdict } from '../../../scripts/verdict.ts';
import type { Practice, PracticeResult } from '../../support/harness.ts';

/** CLI exit code of "out of reach": the only answer a crash may cause. */
const OUT_OF_REACH = 6;
const TRIES_MAX = 60;
const ENDS_WITHIN_MS = 180_000;

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
    const operationId = randomUUID();
    await this.insist([...args, '--operation-id', operationId]);
    return operationId;
  }

  async protect(policy: string, ...more: string[]): Promise<string> {
    const { addresses } = this.practice.lab;
    const target = [
      '--location',
      addresses.arm.location,
      '--size',
      SIZE,
      '--subnet',
      addresses.productionSubnetId,
    ];
    return this.start('item', 'protect', this.machine, '--policy', policy, ...target, ...more);
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
    return (await this.insist(['job', 'show', id])).json as Job;
  }

  /** Waits until the job has this task in this state, or is over. */
  async taskIs(id: string, task: string, states: readonly string[]): Promise<void> {
    await waitFor(
      async () => {
        const job = await this.job(id);
        const found = job.tasks.find((each) => each.id === task);
        return job.endedAt !== undefined || (found !== undefined && states.includes(found.state));
      },
      {
        what: `task ${task} of job ${id} to be ${states.join(' or ')}`,
        withinMs: ENDS_WITHIN_MS,
        everyMs: 100,
      },
    );
  }

  async ends(id: string): Promise<Job> {
    return waitFor(
      async () => {
        const job = await this.job(id);
        return job.endedAt === undefined ? undefined : job;
      },
      { what: `job ${id} to end`, withinMs: ENDS_WITHIN_MS, everyMs: 250 },
    );
  }

  async succeeds(id: string): Promise<Job> {
    const job = await this.ends(id);
    if (job.state !== 'succeeded') throw new Error(`job ${id} ${job.state}: ${JSON.stringify(job.error)}`);
    return job;
  }

  async item(): Promise<ItemView> {
    return (await this.insist(['item', 'show', this.machine])).json as ItemView;
  }

  async itemIs(what: string, holds: (item: ItemView) => boolean): Promise<ItemView> {
    return waitFor(
      async () => {
        const item = await this.item();
        return holds(item) ? item : undefined;
      },
      { what, withinMs: ENDS_WITHIN_MS, everyMs: 250 },
    );
  }

  async points(): Promise<readonly RecoveryPoint[]> {
    return (await this.insist(['item', 'points', this.machine])).json as RecoveryPoint[];
  }

  /** Waits for a recovery point newer than all there are now. */
  async newPoint(): Promise<RecoveryPoint> {
    const before = (await this.points())[0]?.barrierNumber ?? 0;
    return waitFor(
      async () => {
        const newest = (await this.points())[0];
        return newest !== undefined && newest.barrierNumber > before ? newest : undefined;
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
    expect(disks.length).toBeGreaterThan(0);
    const verdicts = await verdict({
      guest: this.practice.lab.guest,
      azure: this.practice.lab.azure,
      machine: this.machine,
      snapshotName: result.point.snapshotName,
      disks,
    });
    expect(verdicts.map(({ deviceKey, differing }) => ({ deviceKey, differing }))).toEqual(
      disks.map(({ deviceKey }) => ({ deviceKey, differing: [] })),
    );
    expect(verdicts.every((disk) => disk.equal)).toBe(true);
  }

  /** Exactly one group, one machine, one interface and the disks carry the run's tag. */
  async expectOneOfEach(result: FailoverResult): Promise<void> {
    const made = await this.practice.resourcesOfRuns(result.runId);
    const types = made.map((each) => each.type.toLowerCase().split('/').at(-1) ?? '').toSorted(byText);
    const disks = result.diskIds.map(() => 'disks');
    expect(types).toEqual(
      [...disks, 'networkinterfaces', 'resourcegroups', 'virtualmachines'].toSorted(byText),
    );
  }
}

const byText = (a: string, b: string) => a.localeCompare(b);
