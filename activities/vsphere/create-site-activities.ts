/** vSphere calls of one site. Polled from `site.<site>`, and for failover from `urgent.site.<site>`. */
import { asId, type VCenterId } from '../../domain/ids.ts';
import type { JobError } from '../../domain/job.ts';
import type { DiscoveredMachine, ItemSpec } from '../../domain/machine.ts';
import type {
  PeerCertificate,
  VaultStorage,
  VCenterDirectory,
  VCenterSession,
  VSphere,
} from '../../domain/ports.ts';
import { latestBarrier } from '../../dataplane/journal/barriers.ts';
import type { ProtectInput, SourceOutcome } from '../../workflows/contracts/types.ts';
import { supervised } from '../supervise.ts';
import { tagsOf, withTags } from './machine-tags.ts';
import { itemSpec, withAddedDisks, withFreshDisks } from './item-spec.ts';
import { shutDown } from './shut-down.ts';

export interface SitePorts {
  readonly vsphere: VSphere;
  readonly vcenters: VCenterDirectory;
  readonly storage: VaultStorage;
}

/** Machines in one answer: keeps the payload far below Temporal's 2 MiB. */
const DISCOVERY_PAGE = 500;

export type SiteActivities = ReturnType<typeof createSiteActivities>;

export function createSiteActivities(ports: SitePorts) {
  return {
    /** Shows a vCenter's certificate; no credential is sent. */
    async probeVCenter(input: { url: string }): Promise<PeerCertificate> {
      return ports.vsphere.fetchCertificate(input.url);
    },

    /** Lists machines sorted by id, a page after `afterId`; also proves that the credentials work. */
    async discoverMachines(input: { vcenterId: VCenterId; afterId?: string }): Promise<{
      about: { name: string; version: string; instanceUuid: string };
      machines: DiscoveredMachine[];
      more: boolean;
      /** Absent: the machines carry their tags. */
      tagsProblem?: JobError;
    }> {
      return supervised(async ({ signal }) => {
        const session = await sessionOf(ports, input.vcenterId);
        const all: DiscoveredMachine[] = [];
        for await (const page of session.listMachines(signal)) all.push(...page);
        const { tags, tagsProblem } = await tagsOf(session, signal);
        const rest = all.filter((m) => m.id > (input.afterId ?? '')).sort((a, b) => (a.id < b.id ? -1 : 1));
        return {
          about: await session.about(),
          machines: rest.slice(0, DISCOVERY_PAGE).map((machine) => withTags(machine, tags)),
          more: rest.length > DISCOVERY_PAGE,
          ...(tagsProblem === undefined ? {} : { tagsProblem }),
        };
      });
    },

    /** Completes an item from fresh facts, or refuses with the first problem (all are in the message of the job). */
    async checkMachine(input: ProtectInput): Promise<ItemSpec> {
      const session = await sessionOf(ports, input.vcenterId);
      const machine = await session.getMachine(asId(input.itemId));
      return itemSpec(input, machine);
    },

    /** Takes in disks that have grown. @throws DR_MACHINE_DISK_CHANGED */
    async refreshDisks(input: { item: ItemSpec }): Promise<ItemSpec> {
      const session = await sessionOf(ports, input.item.vcenterId);
      return withFreshDisks(input.item, await session.getMachine(input.item.machineId));
    },

    /**
     * Takes in further disks; change tracking must be enabled for them afterwards. They join with the next barrier, so
     * replication of the item must have stopped; a repeated call finds the same number.
     * @throws DR_DISK_UNKNOWN, or what keeps a new disk from being protected
     */
    async addDisks(input: { item: ItemSpec; deviceKeys: readonly number[] }): Promise<ItemSpec> {
      const { item, deviceKeys } = input;
      const session = await sessionOf(ports, item.vcenterId);
      const newest = await latestBarrier(ports.storage, item.itemId);
      const joinedAtBarrier = (newest?.number ?? 0) + 1;
      return withAddedDisks(item, await session.getMachine(item.machineId), { deviceKeys, joinedAtBarrier });
    },

    async enableChangeTracking(input: { item: ItemSpec }): Promise<void> {
      await supervised(async (supervision) => {
        const session = await sessionOf(ports, input.item.vcenterId);
        await session.enableChangeTracking(input.item.machineId, supervision.flush);
      });
    },

    /** Shuts the source down and answers only what was observed. */
    async shutDownSource(input: { item: ItemSpec; graceSeconds: number }): Promise<SourceOutcome> {
      const { item, graceSeconds } = input;
      return shutDown(() => sessionOf(ports, item.vcenterId), item.machineId, graceSeconds);
    },

    async removeProductSnapshots(input: { item: ItemSpec }): Promise<void> {
      await supervised(async (supervision) => {
        const session = await sessionOf(ports, input.item.vcenterId);
        await session.removeSnapshots(input.item.machineId, input.item.itemId, null, supervision.flush);
      });
    },
  };
}

export async function sessionOf(
  ports: Pick<SitePorts, 'vsphere' | 'vcenters'>,
  id: VCenterId,
): Promise<VCenterSession> {
  return ports.vsphere.session(await ports.vcenters.load(id));
}
