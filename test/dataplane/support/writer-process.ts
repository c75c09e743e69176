/** A process of its own that ships or applies one item, told over IPC what to do; nothing secret is in its arguments. */
import { applyPending } from '../../../dataplane/apply/apply-pending.ts';
import { readBarrier, tailsAfter } from '../../../dataplane/journal/barriers.ts';
import { ItemKey } from '../../../dataplane/keys.ts';
import { shipBarrier } from '../../../dataplane/ship/ship-barrier.ts';
import { openNbdSource } from '../../../dataplane/source/nbd-source.ts';
import type { DiskId, ProtectedItemId } from '../../../domain/ids.ts';
import { Secret } from '../../../domain/ports.ts';
import { CHAIN_START } from '../../../domain/replication.ts';
import { GiB, MiB } from '../../../domain/units.ts';
import { createVaultStorage } from '../../../providers/azure/storage/vault-storage.ts';
import { watched } from './rig.ts';

export interface WriterOrder {
  readonly account: {
    readonly url: string;
    readonly name: string;
    readonly key: string;
    readonly container: string;
  };
  readonly item: ProtectedItemId;
  readonly itemKey: string;
  readonly disks: readonly {
    readonly diskId: DiskId;
    readonly capacityBytes: number;
    readonly socketPath: string;
  }[];
  readonly cacheFolder: string;
  readonly epoch: number;
  readonly work: 'ship' | 'apply';
  /** Ships until it has made so many of the barriers itself. */
  readonly barriersToMake: number;
  /** Says `holding` once it has the pen of every disk, and writes no byte before it is told `go`. */
  readonly holdsThePen: boolean;
  /** Further writes wait to be told `go`, so that another process finds it in the middle of its work. */
  readonly waitsAfterRequests?: number;
}

export type WriterNews =
  | { readonly news: 'writing'; readonly requests: number }
  | { readonly news: 'holding' }
  | { readonly news: 'ended'; readonly code: string; readonly reached: number };

const never = new AbortController().signal;
const tell = (news: WriterNews) => process.send?.(news);
const go = Promise.withResolvers<void>();
const WRITES: ReadonlySet<string> = new Set(['write', 'clear', 'setMetadata', 'snapshot', 'resize']);

process.on('message', (message: WriterOrder | 'go') => {
  if (message === 'go') go.resolve();
  else void obey(message);
});

async function obey(order: WriterOrder): Promise<void> {
  let reached = 0;
  const outcome = await run(order, (barrier) => {
    reached = barrier;
  }).catch((error: unknown) => error as { readonly code?: string; readonly message: string });
  const code = outcome === undefined ? 'well' : (outcome.code ?? outcome.message);
  process.send?.({ news: 'ended', code, reached } satisfies WriterNews, () => process.disconnect?.());
}

async function run(order: WriterOrder, onReached: (barrier: number) => void): Promise<void> {
  const { account } = order;
  const credential = { kind: 'sharedKey', accountName: account.name, key: new Secret(account.key) } as const;
  let fences = 0;
  let requests = 0;
  const plain = createVaultStorage({ accountUrl: account.url, container: account.container, credential });
  const storage = watched(plain, (what) => {
    if (what === 'fence') fences += 1;
    if (!WRITES.has(what)) return undefined;
    requests += 1;
    if (!order.holdsThePen) {
      tell({ news: 'writing', requests });
      return requests > (order.waitsAfterRequests ?? Infinity) ? go.promise : undefined;
    }
    if (fences === order.disks.length) tell({ news: 'holding' });
    return go.promise;
  });
  const key = new ItemKey(Buffer.from(order.itemKey, 'hex'));
  if (order.work === 'ship') await shipAll(order, storage, key, onReached);
  else
    onReached(
      (await applyPending({ ...order, key, storage, signal: never, onProgress: () => undefined }))
        .appliedBarrier,
    );
}

/** Every barrier holds the whole of every disk again, so that shipping takes its time. */
async function shipAll(
  order: WriterOrder,
  storage: ReturnType<typeof createVaultStorage>,
  key: ItemKey,
  onReached: (barrier: number) => void,
): Promise<void> {
  const { item, epoch, disks } = order;
  const sources = await Promise.all(
    disks.map(({ socketPath }) =>
      openNbdSource(
        { host: '', port: 0, socketPath, exportName: 'disk', close: () => Promise.resolve() },
        never,
      ),
    ),
  );
  let made = 0;
  for (let number = 1; made < order.barriersToMake; number += 1) {
    const previous = number === 1 ? null : await readBarrier(storage, item, number - 1, never, key);
    const tails = tailsAfter(
      previous,
      disks.map(({ diskId }) => diskId),
    );
    const { adopted } = await shipBarrier({
      item,
      epoch,
      barrierNumber: number,
      kind: 'point',
      cycle: number === 1 ? 'initial' : 'delta',
      consistency: 'crash',
      sourceTime: new Date(Date.UTC(2030, 0, 1, 0, number)).toISOString(),
      snapshotName: `switchback-test-${number}`,
      disks: disks.map(({ diskId, capacityBytes }, index) => ({
        diskId,
        capacityBytes,
        source: sources[index] ?? fail(),
        extents: [{ offset: 0, length: capacityBytes }],
        tail: tails.get(diskId) ?? CHAIN_START,
        changeId: null,
        skipZeros: false,
      })),
      key,
      storage,
      cache: { folder: `${order.cacheFolder}/${epoch}`, freeBytesMin: 0, bytesMax: GiB },
      signal: never,
      onProgress: ({ doneBytes }) => tell({ news: 'writing', requests: Math.floor(doneBytes / MiB) }),
      phase: 'delta',
    });
    onReached(number);
    if (!adopted) made += 1;
  }
}

function fail(): never {
  throw new Error('no source');
}
