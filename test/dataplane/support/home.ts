/** Disks at home: real files behind writable NBD exports. */
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { landPending } from '../../../dataplane/land/land-pending.ts';
import type { LandRequest, LandResult } from '../../../dataplane/land/land-pending.ts';
import { openNbdSink } from '../../../dataplane/sink/nbd-sink.ts';
import type { DiskId } from '../../../domain/ids.ts';
import type { DiskSink } from '../../../domain/ports.ts';
import { startNbdServer } from './nbd-server.ts';
import type { NbdServer } from './nbd-server.ts';
import type { Random } from './random.ts';
import type { Machine, Rig } from './rig.ts';
import { never } from './rig.ts';

export interface HomeDisk {
  readonly diskId: DiskId;
  readonly capacityBytes: number;
  /** A connection of its own; the caller closes it. */
  connect(): Promise<DiskSink>;
  bytes(): Promise<Buffer>;
}

export interface Home {
  readonly disks: readonly HomeDisk[];
  /** True: every disk holds what the machine's disk holds now. */
  equals(machine: Machine): Promise<boolean>;
  stop(): Promise<void>;
}

/** One disk for each of the machine's, full of noise. */
export async function startHome(rig: Rig, machine: Machine, random: Random): Promise<Home> {
  const servers: NbdServer[] = [];
  const disks: HomeDisk[] = [];
  for (const { diskId, model } of machine.disks) {
    const file = path.join(path.dirname(rig.cacheFolder), `home-${machine.item}-${disks.length}`);
    const handle = await open(file, 'w');
    await handle.write(random.bytes(model.length));
    await handle.close();
    const server = await startNbdServer({ file, exportName: 'home', socketPath: `${file}.sock` });
    servers.push(server);
    const nbd = { host: '', port: 0, socketPath: `${file}.sock`, exportName: 'home' };
    disks.push({
      diskId,
      capacityBytes: model.length,
      connect: () => openNbdSink({ ...nbd, close: () => Promise.resolve() }, never),
      bytes: () => readFile(file),
    });
  }
  return {
    disks,
    async equals(machine) {
      const held = await Promise.all(disks.map((disk) => disk.bytes()));
      return held.every((bytes, index) => machine.disks[index]?.model.equals(bytes));
    },
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** Connects, lands, disconnects. `around` may put something between the stream and a disk. */
export async function land(
  rig: Rig,
  machine: Machine,
  home: Home,
  epoch: number,
  changes: Partial<LandRequest> & { readonly around?: (sink: DiskSink) => DiskSink } = {},
): Promise<LandResult> {
  const { around = (sink: DiskSink) => sink, ...overrides } = changes;
  const sinks = await Promise.all(home.disks.map((disk) => disk.connect()));
  try {
    return await landPending({
      stream: machine.item,
      disks: home.disks.map(({ diskId, capacityBytes }, index) => {
        const sink = sinks[index];
        if (sink === undefined) throw new Error('no sink');
        return { diskId, capacityBytes, sink: around(sink) };
      }),
      epoch,
      key: machine.key,
      storage: rig.storage,
      cacheFolder: rig.cacheFolder,
      signal: never,
      onProgress: () => undefined,
      ...overrides,
    });
  } finally {
    await Promise.all(sinks.map((sink) => sink.close()));
  }
}
