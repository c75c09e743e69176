import { BLOCK_BYTES } from './block-map.ts';
import type { ByteStore } from './bytes.ts';
import type { Workload, WorkloadFigures } from './model.ts';
import type { Store } from './store.ts';

/** What the guest has written since its workload began; exact, for it is read from the layers written since. */
export function workloadFacts(store: Store, bytes: ByteStore, { since }: Workload): WorkloadFigures {
  let [written, changed] = [0, 0];
  for (const [id, layersBefore] of Object.entries(since)) {
    const disk = store.find('Microsoft.Compute/disks', id);
    if (disk === undefined) continue;
    const { layers } = disk.facts;
    written += bytes.bytesWritten(layers.slice(layersBefore));
    const runs = bytes.runs(layers, layersBefore, { start: 0, end: disk.facts.bytes });
    for (const { start, end } of runs) changed += (end - start) / BLOCK_BYTES;
  }
  return { bytes: written, changedBlocks: changed };
}
