/** Writes of the catalogue's projection. Nothing is decided from it; an older revision never replaces a newer one. */
import type { VCenterId } from '../../domain/ids.ts';
import type { Job } from '../../domain/job.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import type { ItemView } from '../../workflows/contracts/types.ts';

export interface CatalogueWriter {
  recordItem(view: ItemView): Promise<void>;
  recordJob(job: Job): Promise<void>;
  /** One generation is one discovery; `complete` ends it: machines of older generations are dropped. */
  recordMachines(
    vcenterId: VCenterId,
    machines: readonly DiscoveredMachine[],
    discovery: { readonly generation: string; readonly complete: boolean },
  ): Promise<void>;
}

export type CatalogueActivities = ReturnType<typeof createCatalogueActivities>;

/** Who learns of every record before the catalogue does. */
export interface Hearers {
  job(job: Job): void;
  item(view: ItemView): void;
}

export function createCatalogueActivities(catalogue: CatalogueWriter, hear?: Hearers) {
  return {
    async recordItem(input: { view: ItemView }): Promise<void> {
      hear?.item(input.view);
      await catalogue.recordItem(input.view);
    },

    async recordJob(input: { job: Job }): Promise<void> {
      hear?.job(input.job);
      await catalogue.recordJob(input.job);
    },

    async recordMachines(input: {
      vcenterId: VCenterId;
      machines: readonly DiscoveredMachine[];
      generation: string;
      complete: boolean;
    }): Promise<void> {
      await catalogue.recordMachines(input.vcenterId, input.machines, {
        generation: input.generation,
        complete: input.complete,
      });
    },
  };
}
