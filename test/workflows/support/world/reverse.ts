/** The stream home: barriers made from Azure snapshots, landed on the disks at home. */
import { DrError } from '../../../../domain/errors.ts';
import type { DiskDigest, HomeWay } from '../../../../workflows/contracts/home.ts';
import { machineOf } from './azure.ts';
import { shippedTo, timeOf } from './forward.ts';
import type { Handlers } from './handlers.ts';
import { newReverse, type Content, type Reverse } from './model.ts';
import type { World } from './world.ts';

type ReverseNames =
  | 'answerReverse'
  | 'answerLand'
  | 'reverseFirstCopy'
  | 'shipReverseSession'
  | 'shipReverseFinal'
  | 'azureWroteSince'
  | 'hashAzureDisks'
  | 'describeHomeDisks'
  | 'landSession'
  | 'landUntil'
  | 'newestLanded'
  | 'hashHomeDisks'
  | 'purgeReverseStream';

export function reverseHandlers(world: World): Pick<Handlers, ReverseNames> {
  const contentInAzure = (way: HomeWay): Content => {
    const machine = machineOf(world, way.azure);
    if (machine !== undefined) return Object.values(machine.disks)[0] ?? 0;
    throw new DrError('DR_AZURE_MACHINE_GONE', {
      machine: way.item.machineName,
      reason: 'it does not exist',
    });
  };
  const add = (way: HomeWay, stream: Reverse): number => {
    stream.isPurged = false;
    stream.barriers.push(contentInAzure(way));
    stream.snapshots.push(stream.barriers.length);
    return stream.barriers.length;
  };
  const land = (way: HomeWay, sessionEpoch: number, upTo = Infinity): void => {
    const stream = world.stream(way.stream);
    if (sessionEpoch < stream.landEpoch) throw world.fenced(sessionEpoch);
    stream.landEpoch = sessionEpoch;
    const machine = world.machine(way.home.machineId);
    const barrier = Math.min(upTo, stream.barriers.length);
    if (barrier <= stream.landed) return;
    if (machine.power === 'on') {
      if (!world.state.isDisturbed) world.violate('disks at home are written while their machine runs');
      throw new DrError('DR_MACHINE_FILE_LOCKED', {
        disk: 'd',
        machine: way.item.machineName,
        reason: 'it runs',
      });
    }
    if (machine.tracking) world.violate('disks at home are written with change tracking on');
    machine.content = stream.barriers[barrier - 1] ?? 0;
    stream.landed = barrier;
  };
  return {
    answerReverse: () => ({ host: 'azure' }),
    answerLand: () => ({ host: 'home', slots: 60, used: 0 }),

    reverseFirstCopy({ way, sessionEpoch, again }) {
      const stream = world.stream(way.stream);
      world.requireEpoch(stream, sessionEpoch);
      const isDone =
        stream.barriers.length > 0 && (again !== true || stream.finals[sessionEpoch] !== undefined);
      if (!isDone) stream.finals[sessionEpoch] = add(way, stream);
      if (world.sessions.landSession > 0) land(way, stream.landEpoch);
      return shippedTo(stream.barriers.length);
    },
    shipReverseSession({ way, sessionEpoch }) {
      const stream = world.stream(way.stream);
      world.requireEpoch(stream, sessionEpoch);
      if (stream.barriers.at(-1) !== contentInAzure(way)) add(way, stream);
      if (world.sessions.landSession > 0) land(way, stream.landEpoch);
    },
    shipReverseFinal({ way, sessionEpoch }) {
      world.requireNoSession('the last delta is shipped', 'shipReverseSession', 'landSession');
      if (machineOf(world, way.azure)?.vm !== 'deallocated') {
        world.violate('the last delta is taken of a machine that runs');
      }
      const stream = world.stream(way.stream);
      world.requireEpoch(stream, sessionEpoch);
      const before = stream.barriers.at(-1);
      if (stream.barriers[(stream.finals[sessionEpoch] ?? 0) - 1] !== contentInAzure(way)) {
        stream.finals[sessionEpoch] = add(way, stream);
      }
      const rawBytes = before === contentInAzure(way) ? 0 : 4_096;
      return { ...shippedTo(stream.finals[sessionEpoch] ?? 0), rawBytes };
    },
    azureWroteSince({ way, sessionEpoch, barrierNumber }) {
      const stream = world.stream(way.stream);
      world.requireEpoch(stream, sessionEpoch);
      const newest = add(way, stream);
      const wrote = stream.barriers
        .slice(barrierNumber)
        .some((each) => each !== stream.barriers[barrierNumber - 1]);
      return { wrote, barrierNumber: newest };
    },
    hashAzureDisks({ way, barrierNumber }) {
      const stream = world.stream(way.stream);
      if (!stream.snapshots.includes(barrierNumber)) {
        throw new DrError('DR_JOURNAL_GAP', { item: way.stream, reason: `no snapshots of ${barrierNumber}` });
      }
      return digests(way, stream.barriers[barrierNumber - 1] ?? 0);
    },

    describeHomeDisks({ way, compareOnly }) {
      const { azure, home } = way;
      const isSame = home.isOriginal && azure.baselineSnapshotIds.length > 0 && compareOnly !== true;
      return { copy: isSame && world.source.tracking ? 'changes' : 'compare', driftBytes: 0 };
    },
    landSession({ way, sessionEpoch }) {
      if (world.machine(way.home.machineId).power === 'off') land(way, sessionEpoch);
    },
    landUntil({ way, sessionEpoch, barrierNumber }) {
      land(way, sessionEpoch, barrierNumber);
      return { barrierNumber, sourceTime: timeOf(barrierNumber) };
    },
    newestLanded({ way }) {
      const { landed } = world.stream(way.stream);
      return landed === 0 ? null : { barrierNumber: landed, sourceTime: timeOf(landed), torn: false };
    },
    hashHomeDisks: ({ way }) => digests(way, world.machine(way.home.machineId).content),
    purgeReverseStream({ way }) {
      const stream = world.stream(way.stream);
      const deletedBlobs = stream.barriers.length;
      world.state.reverse[way.stream] = {
        ...newReverse(),
        epoch: stream.epoch,
        landEpoch: stream.landEpoch,
        isPurged: true,
        snapshots: stream.snapshots,
      };
      return { deletedBlobs };
    },
  };
}

function digests(way: HomeWay, content: Content): DiskDigest[] {
  return way.disks.map(({ index, label, capacityBytes: bytes }) => ({
    index,
    label,
    bytes,
    sha256: String(content),
  }));
}
