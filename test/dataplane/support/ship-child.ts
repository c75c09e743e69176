/** A process that ships barrier 1 of a machine as a first copy does, so that it can be killed; ends when the barrier is durable. */
import { ItemKey } from '../../../dataplane/keys.ts';
import { shipBarrier } from '../../../dataplane/ship/ship-barrier.ts';
import { openNbdSource } from '../../../dataplane/source/nbd-source.ts';
import type { DiskId, ProtectedItemId } from '../../../domain/ids.ts';
import { Secret } from '../../../domain/ports.ts';
import { CHAIN_START } from '../../../domain/replication.ts';
import { GiB } from '../../../domain/units.ts';
import { createVaultStorage } from '../../../providers/azure/storage/vault-storage.ts';

export interface ShipOrder {
  readonly account: {
    readonly accountUrl: string;
    readonly container: string;
    readonly name: string;
    readonly key: string;
  };
  readonly item: ProtectedItemId;
  /** Hexadecimal. */
  readonly itemKey: string;
  readonly epoch: number;
  readonly cacheFolder: string;
  readonly disks: readonly {
    readonly diskId: DiskId;
    readonly capacityBytes: number;
    readonly socketPath: string;
  }[];
}

async function run({ account, item, itemKey, epoch, cacheFolder, disks }: ShipOrder): Promise<void> {
  const { signal } = new AbortController();
  const { accountUrl, container, name, key } = account;
  const credential = { kind: 'sharedKey', accountName: name, key: new Secret(key) } as const;
  const opened = await Promise.all(
    disks.map(async ({ diskId, capacityBytes, socketPath }) => {
      const nbd = { host: '', port: 0, socketPath, exportName: 'disk', close: () => Promise.resolve() };
      const source = await openNbdSource(nbd, signal);
      const extents = [{ offset: 0, length: capacityBytes }];
      return { diskId, capacityBytes, source, extents, tail: CHAIN_START, changeId: null, skipZeros: true };
    }),
  );
  await shipBarrier({
    item,
    epoch,
    barrierNumber: 1,
    kind: 'point',
    cycle: 'initial',
    consistency: 'crash',
    sourceTime: '2030-01-01T00:00:00.000Z',
    snapshotName: 'frozen',
    disks: opened,
    key: new ItemKey(Buffer.from(itemKey, 'hex')),
    storage: createVaultStorage({ accountUrl, container, credential }),
    cache: { folder: cacheFolder, freeBytesMin: 0, bytesMax: GiB },
    signal,
    onProgress: () => undefined,
    phase: 'initial',
    isResumable: true,
  });
  for (const { source } of opened) await source.close();
}

process.once('message', (order: ShipOrder) => {
  run(order).then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
