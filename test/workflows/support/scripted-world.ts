/**
 * Activities that follow a script, for tests of workflow logic on a real Temporal server: what each call answers is
 * set by the test, what was called is written down. Nothing is mocked: these are ordinary activities on ordinary queues.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { DrError } from '../../../domain/errors.ts';
import { asId } from '../../../domain/ids.ts';
import type { Job } from '../../../domain/job.ts';
import type { ItemSpec } from '../../../domain/machine.ts';
import { recoveryPointId } from '../../../domain/names.ts';
import type { BegunOperation } from '../../../domain/ports.ts';
import type { RecoveryPoint } from '../../../domain/replication.ts';
import { toApplicationFailure } from '../../../activities/failure.ts';
import type { ItemView, ProtectInput, SessionOutcome } from '../../../workflows/contracts/types.ts';

export type SessionName = 'shipSession' | 'applySession';

export class ScriptedWorld {
  readonly calls: string[] = [];
  readonly jobs = new Map<string, Job>();
  item: ItemView | undefined;
  /** Activities that throw this until the entry is removed. */
  readonly failing = new Map<string, DrError>();
  readonly #gates = new Map<string, Promise<void>>();
  /** What the next sessions answer at once; without an entry a session runs until it is cancelled. */
  readonly sessionAnswers: Record<SessionName, SessionOutcome[]> = { shipSession: [], applySession: [] };
  readonly running: Record<SessionName, number> = { shipSession: 0, applySession: 0 };
  /** A session of a lost site: it neither beats nor hears of its cancellation. */
  lostSite = false;
  readonly #held: (() => void)[] = [];

  /** Makes an activity wait before it answers, until what is returned is called. */
  hold(name: string): () => void {
    let open = () => {};
    this.#gates.set(name, new Promise((resolve) => (open = resolve)));
    this.#held.push(open);
    return open;
  }

  /** Ends activities that are held or that a lost site keeps; call before the worker stops. */
  release(): void {
    for (const each of this.#held.splice(0)) each();
  }

  count(name: string): number {
    return this.calls.filter((call) => call === name).length;
  }

  activities() {
    const did = async <T>(name: string, answer: T): Promise<T> => {
      this.calls.push(name);
      await this.#gates.get(name);
      const failure = this.failing.get(name);
      if (failure !== undefined) throw toApplicationFailure(failure);
      return answer;
    };
    const begun: BegunOperation = { resourceId: '/subscriptions/s/resource', poller: null };
    return {
      recordItem: async ({ view }: { view: ItemView }) => {
        if (view.revision >= (this.item?.revision ?? 0)) this.item = view;
      },
      recordJob: async ({ job }: { job: Job }) => {
        if (job.revision >= (this.jobs.get(job.id)?.revision ?? 0)) this.jobs.set(job.id, job);
      },
      checkMachine: async (input: ProtectInput) => did('checkMachine', specOf(input)),
      prepareItem: async () => did('prepareItem', undefined),
      enableChangeTracking: async () => did('enableChangeTracking', undefined),
      removeProductSnapshots: async () => did('removeProductSnapshots', undefined),
      initialReplication: async () => did('initialReplication', { barrierNumber: 1, totals: NO_TOTALS }),
      resolvePoint: async ({ item }: { item: ItemSpec }) => did('resolvePoint', pointOf(item, 1)),
      drain: async ({ item }: { item: ItemSpec }) => did('drain', pointOf(item, 2)),
      shipSession: async () => this.#session('shipSession'),
      applySession: async () => this.#session('applySession'),
      shutDownSource: async () => did('shutDownSource', 'shutDown'),
      shipFinal: async () => did('shipFinal', { barrierNumber: 2, sourceTime: '2026-01-01T00:00:00.000Z' }),
      preflightFailover: async () => did('preflightFailover', undefined),
      prepareRunGroup: async () => did('prepareRunGroup', undefined),
      beginStageDisk: async () => did('beginStageDisk', { blob: 'failover/run/disk.vhd' }),
      awaitStageDisk: async () => did('awaitStageDisk', { url: 'https://account/container/blob' }),
      beginDiskImport: async () => did('beginDiskImport', begun),
      awaitDisk: async () => did('awaitDisk', { resourceId: '/disks/d', bytes: 1 }),
      beginNic: async () => did('beginNic', begun),
      awaitNic: async () => did('awaitNic', { resourceId: '/nics/n', privateIpAddress: '10.0.0.4' }),
      beginVm: async () => did('beginVm', begun),
      awaitVmRunning: async () =>
        did('awaitVmRunning', {
          resourceId: '/vms/v',
          provisioningState: 'Succeeded',
          powerState: 'running',
        }),
      listRun: async () => did('listRun', { resources: ['/vms/v'] }),
      beginDeleteRunGroup: async () => did('beginDeleteRunGroup', begun),
      awaitDeleted: async () => did('awaitDeleted', undefined),
      deleteStaged: async () => did('deleteStaged', { deleted: 2 }),
      proveRunEmpty: async () => did('proveRunEmpty', undefined),
      newestDurable: async () => ({ sourceTime: new Date().toISOString() }),
      purgeItem: async () => did('purgeItem', { deletedBlobs: 9 }),
      deleteOtherPoints: async () => did('deleteOtherPoints', { deleted: 3 }),
    };
  }

  async #session(name: SessionName): Promise<SessionOutcome> {
    this.calls.push(name);
    const answer = this.sessionAnswers[name].shift();
    if (answer !== undefined) return answer;
    this.running[name] += 1;
    try {
      if (this.lostSite && name === 'shipSession')
        await new Promise<void>((resolve) => this.#held.push(resolve));
      const context = Context.current();
      const timer = setInterval(() => context.heartbeat(), 500);
      try {
        await context.cancelled;
      } finally {
        clearInterval(timer);
      }
      throw ApplicationFailure.nonRetryable('a session only ends by cancellation here');
    } finally {
      this.running[name] -= 1;
    }
  }
}

const NO_TOTALS = { cycles: 1, readBytes: 0, rawBytes: 0, wireBytes: 0 };

function specOf(input: ProtectInput): ItemSpec {
  return {
    version: 1,
    itemId: input.itemId,
    machineId: asId(input.itemId),
    machineName: input.machineName,
    vcenterId: input.vcenterId,
    site: input.site,
    guestFamily: 'linux',
    firmware: 'bios',
    disks: [1, 2].map((index) => ({
      diskId: asId(String(index).repeat(32)),
      deviceKey: 2_000 + index,
      label: `Hard disk ${index}`,
      capacityBytes: 1 << 20,
      index: index - 1,
    })),
    policy: input.policy,
    target: input.target,
  };
}

function pointOf(item: ItemSpec, barrierNumber: number): RecoveryPoint {
  return {
    version: 1,
    pointId: recoveryPointId(barrierNumber),
    itemId: item.itemId,
    barrierNumber,
    consistency: 'crash',
    sourceTime: '2026-01-01T00:00:00.000Z',
    durableTime: '2026-01-01T00:00:01.000Z',
    processedTime: '2026-01-01T00:00:02.000Z',
    snapshotName: 'snapshot',
    disks: item.disks.map((disk) => ({
      diskId: disk.diskId,
      replicaBlob: `replica/${disk.diskId}.vhd`,
      snapshotId: 's',
      capacityBytes: disk.capacityBytes,
      tail: { nextSeq: 1, hash: '0'.repeat(64) },
    })),
  };
}
