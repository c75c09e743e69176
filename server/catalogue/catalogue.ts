/**
 * Reads and writes of the catalogue. Writers may be called late, twice or out of order: an older revision never
 * replaces a newer one. Nothing is decided from here that the workflow could not decide without it.
 */
import { and, asc, desc, eq, inArray, like, ne, notInArray, or, sql, type SQL } from 'drizzle-orm';
import type { PolicyId, ProtectedItemId, VCenterId } from '../../domain/ids.ts';
import { overStates } from '../../domain/item-states.ts';
import type { Job, JobKind, JobState } from '../../domain/job.ts';
import { mayTell } from '../../domain/job-notices.ts';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import type { VerificationRecord } from '../../domain/evidence/record.ts';
import type { PastDurations } from '../../domain/plan/duration-model.ts';
import type { MissedDrill } from '../../domain/plan/missed-drills.ts';
import type { PlanVersion, StoredPlan } from '../../domain/plan/stored.ts';
import { isProtectionOver } from '../../domain/protected-item.ts';
import type { ItemView } from '../../workflows/contracts/types.ts';
import type { Database } from './migrate.ts';
import { createOutbox, type Outbox } from './notifications.ts';
import { afterCursor, pageOf, type Page, type PageRequest } from './paging.ts';
import {
  applyPlan,
  listPlans,
  listPlanVersions,
  newestPlans,
  storedPlan,
  type AppliedPlan,
  type ListedPlan,
  type PlanToApply,
} from './plans.ts';
import { lastVerifications } from './last-verifications.ts';
import { pastDurations } from './past-durations.ts';
import {
  missedDrills,
  pastRunsOfItems,
  pastRunsOfPlans,
  type ItemRun,
  type PlanRunRow,
} from './past-runs.ts';
import { policyOf, policyRow, type CataloguedPolicy } from './policy-row.ts';
import { gathered } from './gathered.ts';
import { itemRow, writeItems, type ItemRow } from './record-item.ts';
import { jobRow, recordTellingJob, writeJobs, type JobRow } from './record-job.ts';
import { isListed, recordMachines } from './record-machines.ts';
import { items, jobs, machines, policies, tokens, vcenters } from './schema.ts';
import { createWatchMemory, type WatchMemory } from './watches.ts';

export type VCenterRecord = typeof vcenters.$inferSelect;
export type TokenRecord = typeof tokens.$inferSelect;

export interface ListedMachine {
  readonly machine: DiscoveredMachine;
  readonly isProtected: boolean;
}

export class Catalogue {
  readonly outbox: Outbox;
  readonly watches: WatchMemory;
  readonly #database: Database;
  readonly #close: () => Promise<void>;
  readonly #recordItem: (row: ItemRow) => Promise<void>;
  readonly #recordJob: (row: JobRow) => Promise<void>;

  constructor(database: Database, close: () => Promise<void>) {
    this.outbox = createOutbox(database);
    this.watches = createWatchMemory(database);
    this.#database = database;
    this.#close = close;
    this.#recordItem = gathered((rows) => writeItems(database, rows));
    this.#recordJob = gathered((rows) => writeJobs(database, rows).then(() => undefined));
  }

  close(): Promise<void> {
    return this.#close();
  }

  // ------------------------------------------------------------ projection

  recordItem(view: ItemView): Promise<void> {
    return this.#recordItem(itemRow(view));
  }

  /** With what it tells people. */
  recordJob(job: Job): Promise<void> {
    return mayTell(job) ? recordTellingJob(this.#database, job) : this.#recordJob(jobRow(job));
  }

  /** Notes a job that was just accepted, unless its workflow has told about it already. */
  async bookJob(job: Job): Promise<void> {
    await this.#database.insert(jobs).values(jobRow(job)).onConflictDoNothing();
  }

  /** One generation is one discovery; `complete` ends it: machines of other generations are dropped. */
  recordMachines(
    vcenterId: VCenterId,
    discovered: readonly DiscoveredMachine[],
    discovery: { readonly generation: string; readonly complete: boolean },
  ): Promise<void> {
    return recordMachines(this.#database, vcenterId, discovered, discovery);
  }

  // ------------------------------------------------------------ vCenters

  /** Adds it, or replaces account and fingerprint of the one with that name. */
  async saveVCenter(
    vcenter: Pick<VCenterRecord, 'name' | 'url' | 'username' | 'certificateSha256' | 'addedAt'>,
  ): Promise<void> {
    const { username, certificateSha256 } = vcenter;
    await this.#database
      .insert(vcenters)
      .values(vcenter)
      .onConflictDoUpdate({ target: vcenters.name, set: { username, certificateSha256 } });
  }

  async recordVCenterVersion(name: VCenterId, version: string): Promise<void> {
    await this.#database.update(vcenters).set({ version }).where(eq(vcenters.name, name));
  }

  async removeVCenter(name: VCenterId): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction.delete(machines).where(eq(machines.vcenterId, name));
      await transaction.delete(vcenters).where(eq(vcenters.name, name));
    });
  }

  /** Names, a few of them; machines whose protection has ended do not count. */
  async machinesProtectedOn(name: VCenterId): Promise<string[]> {
    const rows = await this.#database
      .select({ machineName: items.machineName })
      .from(items)
      .where(and(eq(sql`${items.view}->>'vcenterId'`, name), notInArray(items.state, [...overStates])))
      .orderBy(asc(items.machineName))
      .limit(10);
    return rows.map(({ machineName }) => machineName);
  }

  async vcenter(name: VCenterId): Promise<VCenterRecord | undefined> {
    const [row] = await this.#database.select().from(vcenters).where(eq(vcenters.name, name));
    return row;
  }

  async listVCenters(page: PageRequest): Promise<Page<VCenterRecord>> {
    const rows = await this.#database
      .select()
      .from(vcenters)
      .where(afterCursor([vcenters.name], 'ascending', page.cursor))
      .orderBy(asc(vcenters.name))
      .limit(page.limit + 1);
    return pageOf(rows, page.limit, { key: (row) => [row.name], entry: (row) => row });
  }

  // ------------------------------------------------------------ machines

  /** `name` is exact; `*` in it stands for any characters. */
  async listMachines(
    page: PageRequest & { readonly vcenter?: string; readonly name?: string },
  ): Promise<Page<ListedMachine>> {
    const rows = await this.#machinesWhere(
      and(
        page.vcenter === undefined ? undefined : eq(machines.vcenterId, page.vcenter),
        page.name === undefined ? undefined : like(machines.name, likePattern(page.name)),
        afterCursor([machines.name, machines.id, machines.vcenterId], 'ascending', page.cursor),
      ),
      page.limit + 1,
    );
    return pageOf(rows, page.limit, {
      key: ({ machine }) => [machine.name, machine.id, machine.vcenterId],
      entry: (row) => row,
    });
  }

  /** At most ten: enough to tell one from several. */
  machinesNamed(idOrName: string): Promise<ListedMachine[]> {
    return this.#machinesWhere(or(eq(machines.id, idOrName.toLowerCase()), eq(machines.name, idOrName)), 10);
  }

  /** Every machine, one that vCenter does not list any more too while it is protected. */
  async allMachines(): Promise<DiscoveredMachine[]> {
    const rows = await this.#database
      .select({ machine: machines.view })
      .from(machines)
      .orderBy(asc(machines.name), asc(machines.id), asc(machines.vcenterId));
    return rows.map(({ machine }) => machine);
  }

  async #machinesWhere(where: SQL | undefined, limit: number): Promise<ListedMachine[]> {
    const rows = await this.#database
      .select({ machine: machines.view, itemState: items.state })
      .from(machines)
      .leftJoin(items, eq(items.id, machines.id))
      .where(and(isListed, where))
      .orderBy(asc(machines.name), asc(machines.id), asc(machines.vcenterId))
      .limit(limit);
    return rows.map(({ machine, itemState }) => ({
      machine,
      isProtected: itemState !== null && !isProtectionOver(itemState),
    }));
  }

  // ------------------------------------------------------------ policies

  /** False: a policy of that name exists. */
  async createPolicy(policy: CataloguedPolicy): Promise<boolean> {
    const added = await this.#database
      .insert(policies)
      .values(policyRow(policy))
      .onConflictDoNothing()
      .returning({ id: policies.id });
    return added.length === 1;
  }

  async policy(id: PolicyId): Promise<CataloguedPolicy | undefined> {
    const [row] = await this.#database.select().from(policies).where(eq(policies.id, id));
    return row === undefined ? undefined : policyOf(row);
  }

  async listPolicies(page: PageRequest): Promise<Page<CataloguedPolicy>> {
    const rows = await this.#database
      .select()
      .from(policies)
      .where(afterCursor([policies.id], 'ascending', page.cursor))
      .orderBy(asc(policies.id))
      .limit(page.limit + 1);
    return pageOf(rows, page.limit, { key: (row) => [row.id], entry: policyOf });
  }

  // ------------------------------------------------------------ recovery plans

  /** The text of the newest version again stores nothing. */
  applyPlan(given: PlanToApply): Promise<AppliedPlan> {
    return applyPlan(this.#database, given);
  }

  /** The newest version, or that one. */
  plan(name: string, version?: number): Promise<StoredPlan | undefined> {
    return storedPlan(this.#database, name, version);
  }

  /** The newest version of every plan. */
  newestPlans(): Promise<StoredPlan[]> {
    return newestPlans(this.#database);
  }

  /** By name, each with its newest version. */
  listPlans(page: PageRequest): Promise<Page<ListedPlan>> {
    return listPlans(this.#database, page);
  }

  /** Newest first. */
  planVersions(name: string, page: PageRequest): Promise<Page<PlanVersion>> {
    return listPlanVersions(this.#database, name, page);
  }

  // ------------------------------------------------------------ items and jobs

  async listItems(page: PageRequest): Promise<Page<ItemView>> {
    const rows = await this.#database
      .select({ view: items.view })
      .from(items)
      .where(afterCursor([items.machineName, items.id], 'ascending', page.cursor))
      .orderBy(asc(items.machineName), asc(items.id))
      .limit(page.limit + 1);
    return pageOf(rows, page.limit, {
      key: ({ view }) => [view.machineName, view.itemId],
      entry: ({ view }) => view,
    });
  }

  /** Every item whose protection has not ended. */
  async livingItems(): Promise<ItemView[]> {
    const rows = await this.#database
      .select({ view: items.view })
      .from(items)
      .where(notInArray(items.state, [...overStates]))
      .orderBy(asc(items.machineName), asc(items.id));
    return rows.map(({ view }) => view);
  }

  /** At most ten: enough to tell one from several. */
  async itemsNamed(idOrName: string): Promise<ItemView[]> {
    const rows = await this.#database
      .select({ view: items.view })
      .from(items)
      .where(or(eq(items.id, idOrName.toLowerCase()), eq(items.machineName, idOrName)))
      .orderBy(asc(items.id))
      .limit(10);
    return rows.map(({ view }) => view);
  }

  /** Newest first. */
  async listJobs(
    page: PageRequest & {
      readonly item?: ProtectedItemId;
      readonly state?: JobState;
      readonly kinds?: readonly JobKind[];
    },
  ): Promise<Page<Job>> {
    const rows = await this.#database
      .select({ view: jobs.view, startedAt: jobs.startedAt })
      .from(jobs)
      .where(
        and(
          page.item === undefined ? undefined : eq(jobs.itemId, page.item),
          page.state === undefined ? undefined : eq(jobs.state, page.state),
          page.kinds === undefined ? undefined : inArray(sql`${jobs.view} ->> 'kind'`, [...page.kinds]),
          afterCursor([jobs.startedAt, jobs.id], 'descending', page.cursor),
        ),
      )
      .orderBy(desc(jobs.startedAt), desc(jobs.id))
      .limit(page.limit + 1);
    return pageOf(rows, page.limit, {
      key: ({ view, startedAt }) => [startedAt.toISOString(), view.id],
      entry: ({ view }) => view,
    });
  }

  /** Of these items, the last of each kind that succeeded. */
  pastRunsOfItems(itemIds: readonly ProtectedItemId[]): Promise<ItemRun[]> {
    return pastRunsOfItems(this.#database, itemIds);
  }

  /** Drills and cleanups of these plans, the last that succeeded. */
  pastRunsOfPlans(names: readonly string[]): Promise<PlanRunRow[]> {
    return pastRunsOfPlans(this.#database, names);
  }

  /** Scheduled drills of the plan that did not run, the newest ones. */
  missedDrills(plan: string): Promise<MissedDrill[]> {
    return missedDrills(this.#database, plan);
  }

  /** The last comparison with its source of each machine, by item id. */
  lastVerifications(itemIds: readonly string[]): Promise<ReadonlyMap<string, VerificationRecord>> {
    return lastVerifications(this.#database, itemIds);
  }

  /** What parts of earlier runs took. */
  pastDurations(of: Parameters<typeof pastDurations>[1]): Promise<PastDurations> {
    return pastDurations(this.#database, of);
  }

  async job(id: string): Promise<Job | undefined> {
    const [row] = await this.#database.select({ view: jobs.view }).from(jobs).where(eq(jobs.id, id));
    return row?.view;
  }

  // ------------------------------------------------------------ tokens

  /** Adds it; the other tokens of that principal are valid no longer. */
  async replaceTokens(token: Pick<TokenRecord, 'id' | 'sha256' | 'principal'>): Promise<void> {
    const { id, principal } = token;
    await this.#database.transaction(async (transaction) => {
      await transaction.insert(tokens).values(token).onConflictDoNothing();
      await transaction
        .update(tokens)
        .set({ isRevoked: true })
        .where(and(eq(tokens.principal, principal), ne(tokens.id, id)));
    });
  }

  async token(id: string): Promise<TokenRecord | undefined> {
    const [row] = await this.#database.select().from(tokens).where(eq(tokens.id, id));
    return row;
  }
}

function likePattern(name: string): string {
  return name.replaceAll(/[\\%_]/g, (special) => `\\${special}`).replaceAll('*', '%');
}
