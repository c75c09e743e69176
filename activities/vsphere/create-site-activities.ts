/** vSphere calls of one site. Polled from `site.<site>`, and for failover from `urgent.site.<site>`. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { asId, type DiskId, type MachineId, type ProtectedItemId, type VCenterId } from '../../domain/ids.ts';
import type { DiscoveredMachine, ItemSpec, ProtectedDisk } from '../../domain/machine.ts';
import type { PeerCertificate, VCenterDirectory, VCenterSession, VSphere } from '../../domain/ports.ts';
import { protectabilityProblems } from '../../domain/protectability.ts';
import type { ProtectInput, SourceOutcome } from '../../workflows/contracts/types.ts';
import { supervised } from '../supervise.ts';

export interface SitePorts {
  readonly vsphere: VSphere;
  readonly vcenters: VCenterDirectory;
}

/** Machines in one answer: keeps the payload far below Temporal's 2 MiB. */
const DISCOVERY_PAGE = 500;

const POWER_LOOK_MS = 2_000;
const REPEATED_GRACE_SECONDS = 60;
const OUTCOMES = { guestShutdown: 'shutDown', poweredOff: 'poweredOff', alreadyOff: 'alreadyOff' } as const;

/** Heartbeat details: when an attempt asked the guest first. */
interface AskedToShutDown {
  readonly atMs: number;
}

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
    }> {
      return supervised(async ({ signal }) => {
        const session = await sessionOf(ports, input.vcenterId);
        const all: DiscoveredMachine[] = [];
        for await (const page of session.listMachines(signal)) all.push(...page);
        const rest = all.filter((m) => m.id > (input.afterId ?? '')).sort((a, b) => (a.id < b.id ? -1 : 1));
        return {
          about: await session.about(),
          machines: rest.slice(0, DISCOVERY_PAGE),
          more: rest.length > DISCOVERY_PAGE,
        };
      });
    },

    /** Completes an item from fresh facts, or refuses with the first problem (all are in the message of the job). */
    async checkMachine(input: ProtectInput): Promise<ItemSpec> {
      const session = await sessionOf(ports, input.vcenterId);
      const machine = await session.getMachine(asId(input.itemId));
      const [problem] = protectabilityProblems(machine, input.excludedDisks);
      if (problem !== undefined) throw problem;
      return itemSpec(input, machine);
    },

    async enableChangeTracking(input: { item: ItemSpec }): Promise<void> {
      await supervised(async (supervision) => {
        const session = await sessionOf(ports, input.item.vcenterId);
        await session.enableChangeTracking(input.item.machineId, supervision.flush);
      });
    },

    /**
     * Shuts the source down and answers only what was observed. A repeated attempt waits for the rest of the grace
     * that an earlier one gave: asking again would find VMware Tools gone and cut the power in a clean shutdown.
     */
    async shutDownSource(input: { item: ItemSpec; graceSeconds: number }): Promise<SourceOutcome> {
      return supervised<AskedToShutDown, SourceOutcome>(async (supervision) => {
        const { machineId } = input.item;
        const session = await sessionOf(ports, input.item.vcenterId);
        const asked = supervision.previous;
        if (asked === undefined) supervision.report({ atMs: Date.now() });
        supervision.flush();
        const graceEndsMs = (asked?.atMs ?? Date.now()) + input.graceSeconds * 1_000;
        if (asked !== undefined && (await isOffBy(session, machineId, graceEndsMs, supervision.signal))) {
          return 'shutDown';
        }
        // The earlier attempt may have ended before it had asked: the guest is asked once more, with a short grace.
        const graceSeconds = asked === undefined ? input.graceSeconds : REPEATED_GRACE_SECONDS;
        return OUTCOMES[await session.powerOff(machineId, graceSeconds, supervision.flush)];
      });
    },

    async removeProductSnapshots(input: { item: ItemSpec }): Promise<void> {
      await supervised(async (supervision) => {
        const session = await sessionOf(ports, input.item.vcenterId);
        await session.removeSnapshots(input.item.machineId, input.item.itemId, null, supervision.flush);
      });
    },
  };
}

async function sessionOf(ports: SitePorts, id: VCenterId): Promise<VCenterSession> {
  return ports.vsphere.session(await ports.vcenters.load(id));
}

async function isOffBy(
  session: VCenterSession,
  machine: MachineId,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  while ((await session.powerState(machine)) !== 'poweredOff') {
    if (Date.now() >= deadlineMs) return false;
    await delay(POWER_LOOK_MS, undefined, { signal });
  }
  return true;
}

function itemSpec(input: ProtectInput, machine: DiscoveredMachine): ItemSpec {
  const disks: ProtectedDisk[] = machine.disks
    .filter((disk) => !input.excludedDisks.includes(disk.deviceKey))
    .map((disk, index) => ({
      diskId: diskIdOf(input.itemId, disk.deviceKey),
      deviceKey: disk.deviceKey,
      label: disk.label,
      capacityBytes: disk.capacityBytes,
      index,
    }));
  if (disks.length === 0) throw new DrError('DR_MACHINE_WITHOUT_DISKS', { machine: machine.name });
  return {
    version: 1,
    itemId: input.itemId,
    machineId: machine.id,
    machineName: machine.name,
    vcenterId: input.vcenterId,
    site: input.site,
    guestFamily: machine.guestFamily,
    firmware: machine.firmware,
    disks,
    policy: input.policy,
    target: input.target,
  };
}

function diskIdOf(item: ProtectedItemId, deviceKey: number): DiskId {
  return asId(createHash('sha256').update(`${item}/${deviceKey}`).digest('hex').slice(0, 32));
}
