/**
 * Records a history of every ending of every runbook from a real Temporal server, for test/replay. Run it when a
 * runbook or an ending is new; a history that is there is replayed for ever and recorded again only when the old
 * workflows can no longer be running anywhere.
 */
import { mkdir } from 'node:fs/promises';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { DrError } from '../domain/errors.ts';
import { asId, type OperationId } from '../domain/ids.ts';
import type { JobDecision } from '../domain/job.ts';
import type { ItemOperation } from '../domain/protected-item.ts';
import { waitFor } from '../lab/wait.ts';
import { HISTORIES, saveHistory } from '../test/replay/history-file.ts';
import { ServedWorld } from '../test/workflows/support/served-world.ts';
import { inputs } from '../test/workflows/support/requests.ts';
import { protectInput } from '../test/workflows/support/world/samples.ts';
import { startWorkflowServer, type WorkflowServer } from '../test/workflows/support/workflow-server.ts';
import { workflowIds } from '../workflows/contracts/ids.ts';
import {
  decideUpdate,
  operateUpdate,
  protectUpdate,
  upgradeSignal,
} from '../workflows/contracts/messages.ts';
import { taskQueues } from '../workflows/contracts/task-queues.ts';
import type { OperationRequest } from '../workflows/contracts/types.ts';

const WITHIN_MS = 60_000;
const requestedBy = { principal: 'recorder', requestId: 'r1' };
const trouble = new DrError('DR_MACHINE_UNKNOWN', { machine: 'web-01' });

class Recorder {
  readonly #server: WorkflowServer;
  readonly #served: ServedWorld;
  readonly #workers: { stop(): Promise<void> };
  readonly #itemId;
  #operations = 0;

  private constructor(server: WorkflowServer, served: ServedWorld, workers: { stop(): Promise<void> }) {
    this.#server = server;
    this.#served = served;
    this.#workers = workers;
    this.#itemId = served.world.itemId;
  }

  static async item(server: WorkflowServer, number: number): Promise<Recorder> {
    const served = new ServedWorld(asId(`00000000-0000-4000-8000-${String(number).padStart(12, '0')}`));
    const recorder = new Recorder(server, served, await server.serve(served.activities()));
    await recorder.#protect();
    return recorder;
  }

  get world() {
    return this.#served.world;
  }

  async #protect(): Promise<void> {
    const input = protectInput({ itemId: this.#itemId, operationId: asId('protect') });
    await this.#server.client.workflow.executeUpdateWithStart(protectUpdate, {
      args: [input],
      updateId: input.operationId,
      startWorkflowOperation: new WithStartWorkflowOperation('protectedItem', {
        workflowId: workflowIds.protectedItem(this.#itemId),
        taskQueue: taskQueues.control,
        args: [{}],
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    });
    await this.isAt('protected');
  }

  async isAt(state: string): Promise<void> {
    await waitFor(() => this.world.item?.state === state && this.world.item.running === undefined, {
      what: `the item to be ${state}`,
      withinMs: WITHIN_MS,
    });
  }

  async begin(operation: ItemOperation, input: object = inputs[operation]): Promise<OperationId> {
    this.#operations += 1;
    const operationId = asId<OperationId>(`${operation}-${this.#operations}`);
    const request = { ...input, operation, operationId, requestedBy } as unknown as OperationRequest;
    const { client } = this.#server;
    const entity = client.workflow.getHandle(workflowIds.protectedItem(this.#itemId));
    await entity.executeUpdate(operateUpdate, { args: [request], updateId: operationId });
    return operationId;
  }

  /** Runs it to its end and keeps its history under this name. */
  async record(name: string | null, operation: ItemOperation, input?: object): Promise<void> {
    await this.keep(name, await this.begin(operation, input));
  }

  async keep(name: string | null, id: OperationId): Promise<void> {
    await this.keepDisplaced(name, id);
    await waitFor(() => this.world.item?.running === undefined, {
      what: 'the slot to be free',
      withinMs: WITHIN_MS,
    });
  }

  /** Something else holds the slot when it has ended. */
  async keepDisplaced(name: string | null, id: OperationId): Promise<void> {
    // The item starts it a moment after it has booked it.
    await waitFor(
      () =>
        this.#run(id)
          .describe()
          .catch(() => undefined),
      { what: id, withinMs: WITHIN_MS },
    );
    await this.#run(id).result();
    if (name !== null) await save(name, await this.#run(id).fetchHistory());
  }

  /** Fails an activity once, decides when the run waits, and keeps the history. */
  async decided(
    name: string,
    at: { readonly operation: ItemOperation; readonly fails: string; readonly decision: JobDecision },
  ): Promise<void> {
    this.#served.failing.set(at.fails, trouble);
    const id = await this.begin(at.operation);
    await waitFor(() => this.world.jobs.get(id)?.state === 'waitingForInput', {
      what: `${id} to wait`,
      withinMs: WITHIN_MS,
    });
    this.#served.failing.clear();
    await this.decide(id, at.decision);
    await this.keep(name, id);
  }

  async failing(name: string, operation: ItemOperation, fails: string): Promise<void> {
    this.#served.failing.set(fails, trouble);
    await this.record(name, operation);
    this.#served.failing.clear();
  }

  hold(activity: string): () => void {
    return this.#served.hold(activity);
  }

  async calls(activity: string): Promise<void> {
    const before = this.#served.count(activity);
    await waitFor(() => this.#served.count(activity) > before, { what: activity, withinMs: WITHIN_MS });
  }

  async decide(id: OperationId, decision: JobDecision): Promise<void> {
    await this.#run(id).executeUpdate(decideUpdate, {
      args: [{ decision, requestedBy, reason: 'recorded' }],
    });
  }

  /** The present run of the item, up to now or to its end. */
  async entity(name: string): Promise<void> {
    await save(
      name,
      await this.#server.client.workflow.getHandle(workflowIds.protectedItem(this.#itemId)).fetchHistory(),
    );
  }

  /** The run that continues as new. */
  async renewed(name: string): Promise<void> {
    const entity = this.#server.client.workflow.getHandle(workflowIds.protectedItem(this.#itemId));
    const { runId } = await entity.describe();
    await entity.signal(upgradeSignal);
    await waitFor(async () => (await entity.describe()).runId !== runId, {
      what: 'a new run',
      withinMs: WITHIN_MS,
    });
    await save(name, await this.#server.client.workflow.getHandle(entity.workflowId, runId).fetchHistory());
  }

  async end(): Promise<void> {
    this.#served.release();
    await this.#server.client.workflow
      .getHandle(workflowIds.protectedItem(this.#itemId))
      .terminate()
      .catch(() => undefined);
    await this.#workers.stop();
  }

  #run(id: OperationId) {
    return this.#server.client.workflow.getHandle(workflowIds.run(this.#itemId, id));
  }
}

async function save(name: string, history: object): Promise<void> {
  await saveHistory(name, history);
  console.log(`· ${name}`);
}

/** There and back, every operation to its end. */
async function roundTrip(item: Recorder): Promise<void> {
  await item.record('failover-test-done', 'testFailover');
  await item.record('cleanup-done', 'cleanupTestFailover');
  await item.record('updateSettings-done', 'updateSettings');
  await item.record('addDisks-done', 'addDisks');
  await item.record('excludeDisks-done', 'excludeDisks');
  await item.record('pause-done', 'pause');
  await item.record('resume-done', 'resume');
  await item.record('resync-forward-done', 'resync');
  await item.record('verify-done', 'verify');
  await item.renewed('item-forward-continued');
  await item.record('failover-done', 'failover');
  await item.record('failover-change-done', 'changeRecoveryPoint');
  await item.record('rollback-done', 'rollback');
  await item.record(null, 'failover');
  await item.record('commit-done', 'commit');
  await item.failing('reprotect-refused', 'reprotect', 'answerLand');
  await item.record('reprotect-done', 'reprotect');
  await item.record('resync-reverse-done', 'resync');
  await item.renewed('item-reverse-continued');
  await item.record('failback-done', 'failback');
  await item.record('cancelFailback-done', 'cancelFailback');
  await item.record(null, 'failback');
  await item.failing('commitFailback-refused', 'commit', 'homePowerState');
  await item.record('commitFailback-done', 'commit');
  await item.record('reEnable-done', 'reEnable');
  await item.record('disable-done', 'disable');
  await item.entity('item-disabled');
}

/** Failures, decisions, and what something more urgent displaces. */
async function troubled(item: Recorder): Promise<void> {
  await item.failing('failover-test-failed', 'testFailover', 'beginVm');
  await item.failing('failover-refused', 'failover', 'preflightFailover');
  await item.failing('updateSettings-rolledBack', 'updateSettings', 'prepareItem');
  await item.decided('resync-retried', { operation: 'resync', fails: 'hashReplica', decision: 'retry' });
  const open = item.hold('prepareRunGroup');
  const drill = await item.begin('testFailover');
  await item.calls('prepareRunGroup');
  const displacing = await item.begin('failover');
  await item.keepDisplaced('failover-test-displaced', drill);
  open();
  await item.keep(null, displacing);
  await item.decided('rollback-rolledBack', {
    operation: 'rollback',
    fails: 'takeFence',
    decision: 'rollBack',
  });
  await item.record(null, 'rollback');
  await item.record(null, 'cleanupTestFailover');
  await item.decided('failover-rolledBack', {
    operation: 'failover',
    fails: 'beginVm',
    decision: 'rollBack',
  });
  await item.decided('failover-retried', { operation: 'failover', fails: 'shipFinal', decision: 'retry' });
  await item.decided('commit-retried', {
    operation: 'commit',
    fails: 'deleteOtherPoints',
    decision: 'retry',
  });
  await item.decided('reprotect-rolledBack', {
    operation: 'reprotect',
    fails: 'reverseFirstCopy',
    decision: 'rollBack',
  });
  await item.record(null, 'reprotect');
  await item.decided('failback-rolledBack', {
    operation: 'failback',
    fails: 'takeSafetySnapshot',
    decision: 'rollBack',
  });
  await item.decided('failback-skipped', { operation: 'failback', fails: 'hashHomeDisks', decision: 'skip' });
  await item.decided('cancelFailback-retried', {
    operation: 'cancelFailback',
    fails: 'revertToSafetySnapshot',
    decision: 'retry',
  });
  await item.decided('disable-retried', { operation: 'disable', fails: 'purgeItem', decision: 'retry' });
}

/** To Azure for good, with a machine that somebody powers on at home. */
async function migrated(item: Recorder): Promise<void> {
  await item.record(null, 'failover');
  await item.record(null, 'commit');
  await item.record('completeMigration-done', 'completeMigration');
}

await mkdir(HISTORIES, { recursive: true });
const server = await startWorkflowServer();
try {
  const trips = [roundTrip, troubled, migrated];
  for (const [index, trip] of trips.entries()) {
    const item = await Recorder.item(server, index + 1);
    try {
      await trip(item);
    } finally {
      await item.end();
    }
  }
} finally {
  await server.stop();
}
