/** Every activity of every worker, as the model plays it: at once, on the state of the world. */
import type { AzureActivities } from '../../../../activities/azure/create-azure-activities.ts';
import type { CatalogueActivities } from '../../../../activities/catalog/create-catalogue-activities.ts';
import type { ApplyActivities } from '../../../../activities/replication/create-apply-activities.ts';
import type { MoveActivities } from '../../../../activities/replication/create-move-activities.ts';
import type { SiteActivities } from '../../../../activities/vsphere/create-site-activities.ts';
import type {
  CompareActivities,
  CompareMoveActivities,
  HomeAzureActivities,
  HomeSiteActivities,
  LandActivities,
  ReverseActivities,
} from '../../../../workflows/contracts/home.ts';
import type { VerifyActivities, VerifyMoveActivities } from '../../../../workflows/contracts/verify.ts';
import { azureHandlers } from './azure.ts';
import { forwardHandlers } from './forward.ts';
import { homeHandlers } from './home.ts';
import { reverseHandlers } from './reverse.ts';
import type { Call, SessionName, World } from './world.ts';

type Activities = AzureActivities &
  CatalogueActivities &
  ApplyActivities &
  MoveActivities &
  Omit<SiteActivities, 'probeVCenter' | 'discoverMachines'> &
  CompareActivities &
  CompareMoveActivities &
  VerifyActivities &
  VerifyMoveActivities &
  HomeAzureActivities &
  HomeSiteActivities &
  LandActivities &
  ReverseActivities;

/** A session answers nothing: it has begun, and what it does at once is done. */
export type Handlers = {
  readonly [N in keyof Activities]: (
    input: Parameters<Activities[N]> extends [infer I] ? I : undefined,
    call: Call,
  ) => N extends SessionName ? void : Awaited<ReturnType<Activities[N]>>;
};

export function handlersOf(world: World): Handlers {
  return {
    ...azureHandlers(world),
    ...forwardHandlers(world),
    ...homeHandlers(world),
    ...reverseHandlers(world),
    recordMachines: () => undefined,
    recordItem({ view }) {
      world.hearItem(view);
      if (view.revision >= (world.item?.revision ?? 0)) world.item = view;
    },
    recordJob({ job }) {
      world.hear(job);
      if (job.revision >= (world.jobs.get(job.id)?.revision ?? 0)) world.jobs.set(job.id, job);
    },
  };
}
