/** The stream to Azure: barriers made from the source, applied to the replica, kept as points. */
import { DrError } from '../../../../domain/errors.ts';
import type { ItemSpec } from '../../../../domain/machine.ts';
import { recoveryPointId } from '../../../../domain/names.ts';
import type { RecoveryPoint } from '../../../../domain/replication.ts';
import { reverseStream } from '../../../../domain/streams.ts';
import type { ReverseShipped } from '../../../../workflows/contracts/home.ts';
import type { Handlers } from './handlers.ts';
import { newForward, newReverse } from './model.ts';
import { specOf } from './samples.ts';
import type { World } from './world.ts';

type ForwardNames =
  | 'checkMachine'
  | 'refreshDisks'
  | 'addDisks'
  | 'prepareItem'
  | 'initialReplication'
  | 'shipSession'
  | 'applySession'
  | 'shipFinal'
  | 'drain'
  | 'resolvePoint'
  | 'watchRpo'
  | 'purgeItem'
  | 'deleteOtherPoints'
  | 'hashReplica'
  | 'shipDifferences'
  | 'hashPoint'
  | 'comparePoint';

const NO_TOTALS = { cycles: 1, readBytes: 0, rawBytes: 0, wireBytes: 0 };

/** Time of a barrier; the same in every world. */
export function timeOf(barrier: number): string {
  return new Date(Date.UTC(2026, 0, 1) + barrier * 60_000).toISOString();
}

export function forwardHandlers(world: World): Pick<Handlers, ForwardNames> {
  const forward = () => world.state.forward;
  const unchanged = () => forward().barriers.at(-1) === world.source.content;
  const ship = (): number => {
    if (!unchanged()) forward().barriers.push(world.source.content);
    return forward().barriers.length;
  };
  const apply = (upTo = Infinity) => {
    const stream = forward();
    for (; stream.applied < Math.min(upTo, stream.barriers.length);) {
      stream.applied += 1;
      stream.points.push(stream.applied);
    }
  };
  const newestPoint = (item: ItemSpec): RecoveryPoint => {
    const newest = forward().points.at(-1);
    if (newest === undefined)
      throw new DrError('DR_POINT_NONE', { machine: item.machineName, choice: 'latest' });
    return pointOf(item, newest);
  };
  /** A barrier of its own for each epoch, whatever happens to its answer. */
  const final = (sessionEpoch: number): number => {
    world.requireEpoch(forward(), sessionEpoch);
    const { barriers, finals } = forward();
    if (barriers[(finals[sessionEpoch] ?? 0) - 1] !== world.source.content) {
      barriers.push(world.source.content);
      finals[sessionEpoch] = barriers.length;
    }
    return finals[sessionEpoch] ?? 0;
  };
  return {
    checkMachine: (input) => specOf(input),
    refreshDisks: ({ item }) => item,
    addDisks({ item, deviceKeys }) {
      world.requireNoSession('disks are added', 'shipSession', 'applySession');
      const added = deviceKeys.filter((key) => !item.disks.some((disk) => disk.deviceKey === key));
      return specOf(item, [...item.disks.map((disk) => disk.deviceKey), ...added]);
    },
    prepareItem({ item }) {
      forward().hasKey = true;
      forward().record = JSON.stringify(item);
    },
    initialReplication({ sessionEpoch }) {
      world.requireEpoch(forward(), sessionEpoch);
      const barrierNumber = ship();
      if (world.sessions.applySession > 0) apply();
      return { barrierNumber, totals: NO_TOTALS };
    },
    shipSession({ sessionEpoch }) {
      world.requireEpoch(forward(), sessionEpoch);
      if (forward().barriers.length === 0) return;
      ship();
      if (world.sessions.applySession > 0) apply();
    },
    applySession: () => apply(),
    shipFinal({ sessionEpoch }) {
      world.requireNoSession('the last delta is shipped', 'shipSession', 'applySession');
      const barrierNumber = final(sessionEpoch);
      return { barrierNumber, sourceTime: timeOf(barrierNumber) };
    },
    drain({ item, sessionEpoch, barrierNumber }) {
      world.requireNoSession('the replica is drained', 'shipSession', 'applySession');
      world.requireEpoch(forward(), sessionEpoch);
      apply(barrierNumber ?? Infinity);
      return newestPoint(item);
    },
    resolvePoint({ item, choice }) {
      if (choice.kind === 'custom') return pointOf(item, Number(choice.pointId.slice(1)));
      const { applied, barriers } = forward();
      if (choice.kind === 'latest' && applied < barriers.length) {
        if (world.sessions.applySession === 0) world.violate('a point is waited for that nobody makes');
        apply();
      }
      return newestPoint(item);
    },
    watchRpo: () => undefined,
    purgeItem({ item, generations = 0 }) {
      for (let generation = 1; generation <= generations; generation += 1) {
        const stream = world.stream(reverseStream(item.itemId, generation));
        Object.assign(stream, newReverse(), { isPurged: true, snapshots: stream.snapshots });
      }
      const deletedBlobs = forward().barriers.length;
      world.requireNoSession('the item is purged', 'shipSession', 'applySession');
      world.state.forward = { ...newForward(), epoch: forward().epoch };
      return { deletedBlobs };
    },
    deleteOtherPoints({ keep }) {
      const { points } = forward();
      forward().points = points.filter((point) => recoveryPointId(point) === keep);
      return { deleted: points.length - forward().points.length };
    },
    hashReplica({ sessionEpoch }) {
      world.requireNoSession('the replica is hashed', 'shipSession', 'applySession');
      world.requireEpoch(forward(), sessionEpoch);
      apply();
      return { epoch: sessionEpoch, blockBytes: 65_536 };
    },
    shipDifferences({ sessionEpoch, hashes }) {
      world.requireNoSession('differences are shipped', 'shipSession', 'applySession');
      if (hashes.epoch > sessionEpoch) world.violate('differences are shipped by an older try');
      return shippedTo(final(sessionEpoch));
    },
    hashPoint({ item, sessionEpoch }) {
      world.requireNoSession('a point is hashed', 'shipSession', 'applySession');
      world.requireEpoch(forward(), sessionEpoch);
      apply();
      const { pointId, barrierNumber, sourceTime } = newestPoint(item);
      return { epoch: sessionEpoch, pointId, barrierNumber, sourceTime, isNewest: true };
    },
    comparePoint() {
      world.requireNoSession('a point is compared', 'shipSession', 'applySession');
      return { comparedBytes: 1 << 20, changedBytes: 0, differingBytes: 0, disks: [] };
    },
  };
}

export function shippedTo(barrierNumber: number): ReverseShipped {
  return { barrierNumber, sourceTime: timeOf(barrierNumber), readBytes: 0, rawBytes: 0, wireBytes: 0 };
}

export function pointOf(item: ItemSpec, barrierNumber: number): RecoveryPoint {
  return {
    version: 1,
    pointId: recoveryPointId(barrierNumber),
    itemId: item.itemId,
    barrierNumber,
    consistency: 'crash',
    sourceTime: timeOf(barrierNumber),
    durableTime: timeOf(barrierNumber),
    processedTime: timeOf(barrierNumber),
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
