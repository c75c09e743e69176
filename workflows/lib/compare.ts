/** Forward by comparing: hash the replica in Azure, read the source, ship what differs, make a recovery point. */
import type { ReverseShipped } from '../contracts/home.ts';
import type { Run } from '../contracts/runs.ts';
import type { ItemSpec } from '../../domain/machine.ts';
import type { RecoveryPoint } from '../../domain/replication.ts';
import { present } from './failures.ts';
import { azure, drains, initialCopy, siteCalls, siteTasks } from './proxies.ts';
import type { Step } from './runbook.ts';

export interface CompareFacts {
  readonly item: ItemSpec;
  readonly sessionEpoch: number;
  readonly hashes: { readonly epoch: number; readonly blockBytes: number };
  readonly shipped: ReverseShipped;
  readonly point: RecoveryPoint;
}

/** Steps shared by resync and re-enable. None has an undo: they only bring the replica nearer to the source. */
export const compareSteps: readonly Step<Run, CompareFacts>[] = [
  {
    id: 'refresh',
    name: 'Look at the machine and its disks',
    key: 'reads only',
    kind: 'check',
    async run({ item }) {
      const fresh = await siteCalls(item.site).refreshDisks({ item });
      return { facts: { item: fresh }, detail: `${fresh.disks.length} disks` };
    },
  },
  {
    id: 'stop-replication',
    name: 'Stop replication',
    key: 'session epoch of the item',
    held: 'The machine runs on; replication is stopped and recovery points grow older.',
    run: async (_run, _facts, tools) => ({ facts: { sessionEpoch: await tools.stopReplication() } }),
  },
  {
    id: 'record',
    name: 'Write the item record',
    key: 'name of the item record',
    async run(_run, { item }) {
      const fresh = present(item);
      await azure(fresh.target.location, false).prepareItem({ item: fresh });
      return {};
    },
  },
  {
    id: 'change-tracking',
    name: 'Turn changed-block tracking on',
    key: 'setting of the machine',
    async run(_run, { item }) {
      const fresh = present(item);
      await siteTasks(fresh.site).resumeChangeTracking({ item: fresh });
      return {};
    },
  },
  {
    id: 'hash-replica',
    name: 'Hash the replica',
    key: 'name of the block hashes',
    async run(_run, { item, sessionEpoch = 0 }) {
      const fresh = present(item);
      const hashes = await drains(fresh.target.location).hashReplica({ item: fresh, sessionEpoch });
      return { facts: { hashes }, detail: `blocks of ${hashes.blockBytes / 1024} KiB` };
    },
  },
  {
    id: 'differences',
    name: 'Ship what differs',
    key: 'barrier of this session epoch',
    async run(_run, { item, sessionEpoch = 0, hashes }) {
      const fresh = present(item);
      const shipped = await initialCopy(fresh.site).shipDifferences({
        item: fresh,
        sessionEpoch,
        hashes: present(hashes),
      });
      return {
        facts: { shipped },
        detail: `${shipped.rawBytes} bytes differ, ${shipped.wireBytes} travelled`,
      };
    },
  },
  {
    id: 'point',
    name: 'Make a recovery point',
    key: 'recovery point of the barrier',
    async run(_run, { item, shipped }, tools) {
      const fresh = present(item);
      // Hashing has taken the pen with an attempt of the epoch before: applying needs a newer one.
      const sessionEpoch = await tools.stopReplication();
      const barrierNumber = present(shipped).barrierNumber;
      const point = await drains(fresh.target.location).drain({ item: fresh, sessionEpoch, barrierNumber });
      return { facts: { point }, detail: `${point.pointId} of ${point.sourceTime}` };
    },
  },
];
