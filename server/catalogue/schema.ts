/**
 * Tables of the catalogue: a projection for lists and search, rebuilt from Temporal and the storage account.
 * Versions of recovery plans, tokens and notifications are no projection: they are nowhere else.
 * Whole records lie in `view`; the other columns are what is sorted, filtered or guarded by.
 */
import {
  bigint,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';
import type { DiscoveredMachine } from '../../domain/machine.ts';
import type { Job } from '../../domain/job.ts';
import type { DeliveryState, Notification } from '../../domain/notification.ts';
import type { RecoveryPlan } from '../../domain/plan/plan.ts';
import type { ItemState } from '../../domain/protected-item.ts';
import type { ItemView } from '../../workflows/contracts/types.ts';

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });

export const vcenters = pgTable('vcenters', {
  name: text('name').primaryKey(),
  url: text('url').notNull(),
  username: text('username').notNull(),
  certificateSha256: text('certificate_sha256').notNull(),
  addedAt: moment('added_at').notNull(),
  version: text('version'),
  machineCount: integer('machine_count').notNull().default(0),
  discoveredAt: moment('discovered_at'),
});

export const machines = pgTable(
  'machines',
  {
    vcenterId: text('vcenter_id').notNull(),
    id: text('id').notNull(),
    name: text('name').notNull(),
    generation: text('generation').notNull(),
    view: jsonb('view').$type<DiscoveredMachine>().notNull(),
    /** vCenter does not list it any more; kept for the protected item, which plans find by its tags and folder. */
    isGone: boolean('is_gone').notNull().default(false),
  },
  (table) => [
    primaryKey({ columns: [table.vcenterId, table.id] }),
    index('machines_by_name').on(table.name, table.id, table.vcenterId),
  ],
);

export const policies = pgTable('policies', {
  id: text('id').primaryKey(),
  intervalSeconds: integer('interval_seconds').notNull(),
  retentionHours: doublePrecision('retention_hours').notNull(),
  rpoThresholdSeconds: integer('rpo_threshold_seconds').notNull(),
  /** Null: no application-consistent points. */
  appConsistentHours: integer('app_consistent_hours'),
  /** Both null: no resync by itself. */
  autoResyncFromHour: integer('auto_resync_from_hour'),
  autoResyncToHour: integer('auto_resync_to_hour'),
  failbackIntervalSeconds: integer('failback_interval_seconds').notNull(),
  failbackRpoThresholdSeconds: integer('failback_rpo_threshold_seconds').notNull(),
});

export const items = pgTable(
  'items',
  {
    id: text('id').primaryKey(),
    machineName: text('machine_name').notNull(),
    state: text('state').$type<ItemState>().notNull(),
    health: text('health').notNull(),
    revision: bigint('revision', { mode: 'number' }).notNull(),
    view: jsonb('view').$type<ItemView>().notNull(),
  },
  (table) => [index('items_by_machine_name').on(table.machineName, table.id)],
);

export const jobs = pgTable(
  'jobs',
  {
    id: text('id').primaryKey(),
    /** Null: a job that sets something up. */
    itemId: text('item_id'),
    state: text('state').notNull(),
    startedAt: moment('started_at').notNull(),
    revision: bigint('revision', { mode: 'number' }).notNull(),
    view: jsonb('view').$type<Job>().notNull(),
  },
  (table) => [
    index('jobs_by_start').on(table.startedAt, table.id),
    index('jobs_by_item').on(table.itemId, table.startedAt),
    // Those of what has succeeded, by kind, are made in `migrations.ts` alone.
  ],
);

/** Rows are added, never changed or removed. */
export const planVersions = pgTable(
  'plan_versions',
  {
    name: text('name').notNull(),
    version: integer('version').notNull(),
    sha256: text('sha256').notNull(),
    author: text('author').notNull(),
    appliedAt: moment('applied_at').notNull(),
    text: text('text').notNull(),
    plan: jsonb('plan').$type<RecoveryPlan>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.name, table.version] })],
);

/** Only the hash of a token is kept. */
export const tokens = pgTable('tokens', {
  id: text('id').primaryKey(),
  sha256: text('sha256').notNull(),
  principal: text('principal').notNull(),
  isRevoked: boolean('is_revoked').notNull().default(false),
});

/** What people are told of: written with what it tells, delivered afterwards. */
export const notifications = pgTable(
  'notifications',
  {
    id: text('id').primaryKey(),
    event: text('event').notNull(),
    at: moment('at').notNull(),
    view: jsonb('view').$type<Notification>().notNull(),
    /** Its deliveries are written. */
    isAddressed: boolean('is_addressed').notNull().default(false),
  },
  (table) => [index('notifications_by_time').on(table.at, table.id)],
);

export const deliveries = pgTable(
  'notification_deliveries',
  {
    notificationId: text('notification_id')
      .notNull()
      .references(() => notifications.id, { onDelete: 'cascade' }),
    /** Name of a receiver of the configuration. */
    receiver: text('receiver').notNull(),
    state: text('state').$type<DeliveryState>().notNull(),
    tries: integer('tries').notNull().default(0),
    nextAt: moment('next_at').notNull(),
    endedAt: moment('ended_at'),
    /** Of the last try. */
    problem: text('problem'),
  },
  (table) => [
    primaryKey({ columns: [table.notificationId, table.receiver] }),
    index('notification_deliveries_due').on(table.receiver, table.state, table.nextAt),
  ],
);

/** When each watch looked last: of several configuration servers one looks. */
export const watches = pgTable('watches', {
  name: text('name').primaryKey(),
  lookedAt: moment('looked_at').notNull(),
});

/** What a watch has told of each thing it watches, so that a restart neither repeats nor forgets. */
export const watched = pgTable(
  'watched',
  {
    watch: text('watch').notNull(),
    subject: text('subject').notNull(),
    state: jsonb('state').$type<unknown>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.watch, table.subject] })],
);
