/**
 * Enabling protection: check the machine → data key and item record → change tracking → initial replication →
 * first recovery point. Until the check has passed nothing is made anywhere; what a later failure leaves in the
 * storage account is picked up when the machine is protected again. Snapshots on the source are removed.
 */
import type { ItemStore } from './item-store.ts';
import { jobLog } from './job-log.ts';
import { azure, initialCopy, siteCalls, siteTasks } from './proxies.ts';
import type { Replication } from './replication.ts';

/** Answers whether the item is protected; on false its job says why. */
export async function enableProtection(store: ItemStore, start: () => Replication): Promise<boolean> {
  const { protect } = store.record;
  const log = jobLog({
    id: protect.operationId,
    kind: 'protect',
    itemId: protect.itemId,
    machineName: protect.machineName,
    requestedBy: protect.requestedBy.principal,
  });
  try {
    const item = await log.step(
      'check',
      'Check the machine',
      () => siteCalls(protect.site).checkMachine(protect),
      (spec) => `${spec.disks.length} disks, ${spec.firmware}`,
    );
    const recovery = azure(item.target.location, false);
    await log.step('prepare', 'Prepare the data key and the item record', () =>
      recovery.prepareItem({ item }),
    );
    await log.step('change-tracking', 'Enable changed-block tracking', () =>
      siteTasks(item.site).enableChangeTracking({ item }),
    );
    store.change({ spec: item, state: 'initialReplicating' });
    const sessions = start();
    sessions.start('apply');
    const copied = await log.step(
      'initial-replication',
      'Initial replication',
      () => initialCopy(item.site).initialReplication({ item, sessionEpoch: store.nextSessionEpoch() }),
      (done) => `${done.totals.readBytes} bytes read, ${done.totals.wireBytes} bytes sent`,
    );
    const point = await log.step(
      'first-point',
      'First recovery point',
      () => recovery.resolvePoint({ item, choice: { kind: 'latest' } }),
      (made) => `${made.pointId} of ${made.sourceTime}`,
    );
    sessions.start('ship');
    store.change({ hasRecoveryPoint: true });
    await log.succeed({ ...copied.totals, pointId: point.pointId });
    return true;
  } catch (error) {
    const { spec } = store.record;
    if (spec !== undefined) {
      await log.attempt('undo', 'Remove snapshots from the source', () =>
        siteTasks(spec.site).removeProductSnapshots({ item: spec }),
      );
    }
    await log.fail(error);
    return false;
  }
}
