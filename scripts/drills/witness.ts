/**
 * Looks at what a drill must not have touched and must not have left, by listings of its own: the practice Azure, the
 * practice vCenter over SOAP and by its history, and the storage account. Of the product it asks one thing only,
 * what it says of its item.
 */
import { readFile } from 'node:fs/promises';
import { contract } from '../../api/contract.ts';
import { asId, type MachineId, type ProtectedItemId, type VCenterId } from '../../domain/ids.ts';
import { blobNames, ITEM_TAG, RUN_TAG, SNAPSHOT_PREFIX } from '../../domain/names.ts';
import { Secret, type VaultStorage, type VCenterSession } from '../../domain/ports.ts';
import type { AzureResource } from '../../lab/controls.ts';
import { waitFor } from '../../lab/wait.ts';
import { createVSphere, type VSphereClient } from '../../providers/vsphere/vsphere.ts';
import type { Practice } from '../../test/support/harness.ts';
import { vaultStorage } from '../../workers/ports.ts';

export const findingKinds = ['left', 'live', 'duplicate', 'run'] as const;
export type FindingKind = (typeof findingKinds)[number];

export interface Finding {
  readonly kind: FindingKind;
  readonly what: string;
}

/** What stays as it is while a machine is rehearsed. */
interface Live {
  readonly hardware: string;
  readonly power: string;
  readonly powerChanges: number;
  readonly writers: number;
  readonly fence: string;
}

interface Known {
  readonly itemId: ProtectedItemId;
  readonly live: Live;
}

/** Newest points by machine. */
export type Points = Readonly<Record<string, string>>;

/** One, and one more while a cycle goes on. */
const SNAPSHOTS_MAX = 2;
const NEWER_POINT_WITHIN_MS = 180_000;

export class Witness {
  readonly #practice: Practice;
  readonly #storage: VaultStorage;
  readonly #vsphere: VSphereClient;
  readonly #session: VCenterSession;
  readonly #known = new Map<string, Known>();
  readonly #resources: readonly string[];

  private constructor(
    practice: Practice,
    parts: {
      readonly storage: VaultStorage;
      readonly vsphere: VSphereClient;
      readonly session: VCenterSession;
      readonly resources: readonly string[];
    },
  ) {
    this.#practice = practice;
    this.#storage = parts.storage;
    this.#vsphere = parts.vsphere;
    this.#session = parts.session;
    this.#resources = parts.resources;
  }

  /** What there is now is as it must stay. */
  static async of(practice: Practice, machines: readonly string[]): Promise<Witness> {
    const { vcenter } = practice.lab.addresses;
    const vsphere = createVSphere();
    const session = vsphere.session({
      id: asId<VCenterId>('witness'),
      url: vcenter.url,
      username: vcenter.username,
      password: new Secret((await readFile(vcenter.passwordFile, 'utf8')).trim()),
      certificate: {
        sha256: vcenter.certificateSha256,
        pem: await readFile(vcenter.certificateFile, 'utf8'),
      },
    });
    const storage = await vaultStorage(await practice.configuration());
    const resources = (await practice.lab.azure.resources()).map(({ id }) => id);
    const witness = new Witness(practice, { storage, vsphere, session, resources });
    for (const machine of machines) {
      const itemId = asId<ProtectedItemId>((await witness.#item(machine)).itemId);
      witness.#known.set(machine, { itemId, live: await witness.#live(machine, itemId) });
    }
    return witness;
  }

  async points(machines: readonly string[]): Promise<Points> {
    const newest = await Promise.all(machines.map(async (machine) => [machine, await this.#newest(machine)]));
    return Object.fromEntries(newest) as Points;
  }

  /** While the drill is up: of every role one, in a group of its own. */
  async duplicates(run: string): Promise<Finding[]> {
    const made = (await this.#practice.lab.azure.resources()).filter(({ tags }) =>
      tags[RUN_TAG]?.startsWith(run),
    );
    const byRole = Map.groupBy(made, (each) =>
      `${each.tags[ITEM_TAG]} ${each.type} ${each.name}`.toLowerCase(),
    );
    const machines = Map.groupBy(
      made.filter(({ type }) => type.toLowerCase().endsWith('/virtualmachines')),
      ({ tags }) => tags[ITEM_TAG],
    );
    return [...byRole, ...machines]
      .filter(([, same]) => same.length > 1)
      .map(([role, same]) => ({
        kind: 'duplicate',
        what: `${role}: ${same.map(({ id }) => id).join(', ')}`,
      }));
  }

  /** After the cleanup: nothing of the run is left, and nothing that lives was touched. */
  async look(machines: readonly string[], run: string, before: Points): Promise<Finding[]> {
    const found = await Promise.all([
      this.#left(machines, run),
      ...machines.map((machine) => this.#untouched(machine)),
      ...machines.map((machine) => this.#repliesOn(machine, before[machine] ?? '')),
    ]);
    return found.flat();
  }

  /** When all is over: what there was at first, and nothing else, whoever made it. */
  async lookAtEverything(): Promise<Finding[]> {
    const resources = await this.#practice.lab.azure.resources();
    const blobs = await Promise.all(['failover/', blobNames.pins].map((prefix) => this.#list(prefix)));
    const { machines } = await this.#practice.lab.azure.history();
    const alive = machines.filter(({ power }) => power.at(-1)?.state !== 'deleted');
    return [
      ...resources.filter(({ id }) => !this.#resources.includes(id)).map(({ id }) => id),
      ...blobs.flat(),
      ...alive.map(({ id }) => `${id} was never deleted`),
    ].map((what) => ({ kind: 'left', what }));
  }

  async close(): Promise<void> {
    await this.#vsphere.close();
  }

  // ------------------------------------------------------------ left behind

  async #left(machines: readonly string[], run: string): Promise<Finding[]> {
    const items: readonly string[] = machines.map((machine) => this.#itemId(machine));
    const isOfRun = ({ id, tags }: AzureResource) =>
      id.includes(run) || tags[RUN_TAG]?.startsWith(run) === true || items.includes(tags[ITEM_TAG] ?? '');
    const resources = (await this.#practice.lab.azure.resources()).filter(isOfRun);
    const blobs = await Promise.all(
      [`failover/${run}`, ...machines.map((machine) => blobNames.pinPrefix(this.#itemId(machine)))].map(
        (prefix) => this.#list(prefix),
      ),
    );
    return [...resources.map(({ id }) => id), ...blobs.flat()].map((what) => ({ kind: 'left', what }));
  }

  // ------------------------------------------------------------ what lives

  async #untouched(machine: string): Promise<Finding[]> {
    const { itemId, live } = this.#knownOf(machine);
    const now = await this.#live(machine, itemId);
    const changed = (Object.keys(live) as (keyof Live)[])
      .filter((part) => now[part] !== live[part])
      .map((part) => `${part} was ${live[part]}, is ${now[part]}`);
    const { snapshots } = await this.#practice.lab.guest.machine(machine);
    const foreign = snapshots
      .filter(({ name }) => !isOfReplication(name, itemId))
      .map(({ name }) => `snapshot ${name}`);
    const many = snapshots.length > SNAPSHOTS_MAX ? [`${snapshots.length} snapshots`] : [];
    const { state, activeLocation, drill } = await this.#item(machine);
    const said = `${state} ${activeLocation} drill ${drill.state}`;
    const wrong = said === 'protected onPremises drill none' ? [] : [`its item is ${said}`];
    return [...changed, ...foreign, ...many, ...wrong].map((what) => ({
      kind: 'live',
      what: `${machine}: ${what}`,
    }));
  }

  async #repliesOn(machine: string, before: string): Promise<Finding[]> {
    const isNewer = async () => (await this.#newest(machine)) > before;
    const what = `a point of ${machine} newer than ${before}`;
    return waitFor(isNewer, { what, withinMs: NEWER_POINT_WITHIN_MS, everyMs: 500 }).then(
      () => [],
      (error: unknown) => [{ kind: 'live', what: (error as Error).message }],
    );
  }

  async #live(machine: string, itemId: ProtectedItemId): Promise<Live> {
    const { guest } = this.#practice.lab;
    const { instanceUuid } = await guest.machine(machine);
    const [found, history, fence] = await Promise.all([
      this.#session.getMachine(asId<MachineId>(instanceUuid)),
      guest.history(machine),
      this.#storage.get(blobNames.fence(itemId)),
    ]);
    const { id, moRef, disks, nics, powerState } = found;
    const kept = disks.map(({ deviceKey, capacityBytes }) => ({ deviceKey, capacityBytes }));
    return {
      hardware: JSON.stringify({ id, moRef, disks: kept, nics }),
      power: powerState,
      powerChanges: history?.power.length ?? 0,
      writers: history?.writers.length ?? 0,
      fence: fence === null ? 'none' : Buffer.from(fence.body).toString('utf8'),
    };
  }

  async #item(machine: string) {
    const call = () => this.#practice.api.call(contract.getItem, { params: { id: machine } });
    return waitFor(() => call().catch(() => undefined), {
      what: `the item of ${machine}`,
      withinMs: NEWER_POINT_WITHIN_MS,
    });
  }

  async #newest(machine: string): Promise<string> {
    return (await this.#list(blobNames.pointPrefix(this.#itemId(machine)))).toSorted().at(-1) ?? '';
  }

  async #list(prefix: string): Promise<string[]> {
    return (await Array.fromAsync(this.#storage.list(prefix))).map(({ name }) => name);
  }

  #itemId(machine: string): ProtectedItemId {
    return this.#knownOf(machine).itemId;
  }

  #knownOf(machine: string): Known {
    const known = this.#known.get(machine);
    if (known === undefined) throw new Error(`${machine} was not looked at before`);
    return known;
  }
}

function isOfReplication(name: string, itemId: ProtectedItemId): boolean {
  return name.startsWith(`${SNAPSHOT_PREFIX}${itemId.slice(0, 8)}-`) && /-\d{8}$/.test(name);
}
