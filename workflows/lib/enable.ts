/**
 * Enabling protection: check the machine → data key and item record → change tracking → initial replication →
 * first recovery point. Until the check has passed nothing is made anywhere. A copy of days does not end because of
 * a trouble that passes (a rotated password, a revoked role): it is shown as health, as that of a session is, and
 * tried again; `disable` is the way out. What a failure leaves in the storage account is picked up when the machine
 * is protected again; so is the snapshot that a first copy reads from.
 */
import { isCancellation, sleep } from '@temporalio/workflow';
import type { ItemSpec } from '../../domain/machine.ts';
import { mebibytes } from './words.ts';
import type { ItemStore } from './item-store.ts';
import { jobLog, now } from './job-log.ts';
import { azure, initialCopy, siteCalls, siteTasks } from './proxies.ts';
import type { Supervision } from './supervision.ts';
import { longerPause, TROUBLE_PAUSE_MS, troubleOf } from './trouble.ts';

/** Answers whether the item is protected; on false its job says why. */
export async function enableProtection(store: ItemStore, supervision: Supervision): Promise<boolean> {
  const { protect } = store.record;
  const log = jobLog({
    id: protect.operationId,
    kind: 'protect',
    itemId: protect.itemId,
    subject: protect.machineName,
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
    supervision.start('apply');
    const copied = await log.step(
      'initial-replication',
      'Initial replication',
      () => copyUntilDone(store, item),
      ({ totals }) => `${mebibytes(totals.readBytes)} read, ${mebibytes(totals.wireBytes)} sent`,
    );
    const point = await log.step(
      'first-point',
      'First recovery point',
      () => recovery.resolvePoint({ item, choice: { kind: 'latest' } }),
      (made) => `${made.pointId} of ${made.sourceTime}`,
    );
    supervision.start('ship');
    store.change({ hasRecoveryPoint: true });
    await log.succeed({ ...copied.totals, pointId: point.pointId });
    return true;
  } catch (error) {
    await log.fail(error);
    return false;
  }
}

async function copyUntilDone(store: ItemStore, item: ItemSpec) {
  for (let pauseMs = TROUBLE_PAUSE_MS; ; pauseMs = longerPause(pauseMs)) {
    try {
      const sessionEpoch = store.nextSessionEpoch();
      const copied = await initialCopy(item.site).initialReplication({ item, sessionEpoch });
      store.clearTrouble('ship');
      return copied;
    } catch (error) {
      if (isCancellation(error)) throw error;
      store.raiseTrouble('ship', { ...troubleOf(error), since: now() });
      await sleep(pauseMs);
    }
  }
}
