/** The outbox: notifications are written with what they tell, and delivered to each receiver until it has them. */
import { createHash } from 'node:crypto';
import { and, asc, count, desc, eq, inArray, lt, lte, notInArray, sql } from 'drizzle-orm';
import {
  pauseSeconds,
  type DeliveryState,
  type Notice,
  type Notification,
  type NotificationEvent,
} from '../../domain/notification.ts';
import type { Database } from './migrate.ts';
import { afterCursor, pageOf, type Page, type PageRequest } from './paging.ts';
import { deliveries, notifications } from './schema.ts';

export interface Delivery {
  readonly receiver: string;
  readonly state: DeliveryState;
  readonly tries: number;
  /** ISO 8601 UTC; while it waits. */
  readonly nextAt?: string;
  readonly endedAt?: string;
  /** What the last try failed with. */
  readonly problem?: string;
}

export interface ListedNotification extends Notification {
  readonly deliveries: readonly Delivery[];
}

export interface DeliveryCount {
  readonly receiver: string;
  readonly state: DeliveryState;
  readonly deliveries: number;
}

export interface ReceiverWants {
  readonly name: string;
  readonly events: readonly NotificationEvent[];
}

interface DeliveryPlace {
  readonly notificationId: string;
  readonly receiver: string;
}

interface DeliveryOutcome {
  readonly state: DeliveryState;
  readonly problem?: string;
  readonly at: Date;
}

/** One that is due, and which try this is. */
export interface ClaimedDelivery {
  readonly notification: Notification;
  readonly tries: number;
}

/** Addressed in one go; more follow in the next. */
const ADDRESSED_MAX = 500;

export type Outbox = ReturnType<typeof createOutbox>;

export function createOutbox(database: Database) {
  return {
    /** Gives every new notification its deliveries; those of receivers that are there no longer are given up. */
    address: (receivers: readonly ReceiverWants[], now: Date) =>
      addressNotifications(database, receivers, now),

    /**
     * The delivery to this receiver that has waited longest, taken by the caller alone: unless it is ended it is due
     * again after a pause, whatever becomes of the caller.
     */
    claim: (receiver: string, now: Date) => claimDelivery(database, receiver, now),

    /** What became of a try; `waiting`: it is tried again. */
    record: (of: DeliveryPlace, outcome: DeliveryOutcome) => recordDelivery(database, of, outcome),

    /** Newest first. */
    list: (page: PageRequest & { readonly state?: DeliveryState }) => listNotifications(database, page),

    count: () => countDeliveries(database),

    /** Older than that, whatever became of them. */
    forget: async (before: Date): Promise<void> => {
      await database.delete(notifications).where(lt(notifications.at, before));
    },
  };
}

/** What was noticed already is not told again. */
export async function addNotices(database: Database, notices: readonly Notice[], at: Date): Promise<void> {
  if (notices.length === 0) return;
  const rows = notices.map(({ key, ...notice }) => {
    const id = createHash('sha256').update(key).digest('hex').slice(0, 32);
    return { id, event: notice.event, at, view: { id, at: at.toISOString(), ...notice } };
  });
  await database.insert(notifications).values(rows).onConflictDoNothing();
}

async function addressNotifications(
  database: Database,
  receivers: readonly ReceiverWants[],
  now: Date,
): Promise<void> {
  await database.transaction(async (transaction) => {
    const fresh = await transaction
      .select({ id: notifications.id, event: notifications.event })
      .from(notifications)
      .where(eq(notifications.isAddressed, false))
      .orderBy(asc(notifications.at))
      .limit(ADDRESSED_MAX)
      .for('update', { skipLocked: true });
    const rows = fresh.flatMap(({ id, event }) =>
      receivers
        .filter(({ events }) => events.some((each) => each === event))
        .map(({ name }) => ({ notificationId: id, receiver: name, state: 'waiting' as const, nextAt: now })),
    );
    if (rows.length > 0) await transaction.insert(deliveries).values(rows).onConflictDoNothing();
    const ids = fresh.map(({ id }) => id);
    if (ids.length > 0) {
      await transaction
        .update(notifications)
        .set({ isAddressed: true })
        .where(inArray(notifications.id, ids));
    }
    const names = receivers.map(({ name }) => name);
    await transaction
      .update(deliveries)
      .set({ state: 'givenUp', endedAt: now, problem: 'there is no such receiver any more' })
      .where(
        and(
          eq(deliveries.state, 'waiting'),
          names.length === 0 ? undefined : notInArray(deliveries.receiver, names),
        ),
      );
  });
}

async function claimDelivery(
  database: Database,
  receiver: string,
  now: Date,
): Promise<ClaimedDelivery | undefined> {
  return database.transaction(async (transaction) => {
    const [due] = await transaction
      .select({ id: deliveries.notificationId, tries: deliveries.tries, notification: notifications.view })
      .from(deliveries)
      .innerJoin(notifications, eq(notifications.id, deliveries.notificationId))
      .where(
        and(eq(deliveries.receiver, receiver), eq(deliveries.state, 'waiting'), lte(deliveries.nextAt, now)),
      )
      .orderBy(asc(deliveries.nextAt), asc(notifications.at))
      .limit(1)
      .for('update', { of: deliveries, skipLocked: true });
    if (due === undefined) return undefined;
    const tries = due.tries + 1;
    const nextAt = new Date(now.getTime() + pauseSeconds(tries) * 1_000);
    await transaction.update(deliveries).set({ tries, nextAt }).where(place(due.id, receiver));
    return { notification: due.notification, tries };
  });
}

async function recordDelivery(
  database: Database,
  { notificationId, receiver }: DeliveryPlace,
  outcome: DeliveryOutcome,
): Promise<void> {
  const { state, problem = null, at } = outcome;
  await database
    .update(deliveries)
    .set({ state, problem, ...(state === 'waiting' ? {} : { endedAt: at }) })
    .where(place(notificationId, receiver));
}

function place(notificationId: string, receiver: string) {
  return and(eq(deliveries.notificationId, notificationId), eq(deliveries.receiver, receiver));
}

async function listNotifications(
  database: Database,
  page: PageRequest & { readonly state?: DeliveryState },
): Promise<Page<ListedNotification>> {
  const { state } = page;
  const rows = await database
    .select({ id: notifications.id, at: notifications.at, view: notifications.view })
    .from(notifications)
    .where(
      and(
        state === undefined
          ? undefined
          : sql`exists (select 1 from ${deliveries} where ${deliveries.notificationId} = ${notifications.id} and ${deliveries.state} = ${state})`,
        afterCursor([notifications.at, notifications.id], 'descending', page.cursor),
      ),
    )
    .orderBy(desc(notifications.at), desc(notifications.id))
    .limit(page.limit + 1);
  const ids = rows.map(({ id }) => id);
  const all = ids.length === 0 ? [] : await deliveriesOf(database, ids);
  const byId = Map.groupBy(all, ({ notificationId }) => notificationId);
  return pageOf(rows, page.limit, {
    key: ({ id, at }) => [at.toISOString(), id],
    entry: ({ id, view }) => ({ ...view, deliveries: (byId.get(id) ?? []).map(deliveryOf) }),
  });
}

async function deliveriesOf(database: Database, ids: readonly string[]) {
  return database
    .select()
    .from(deliveries)
    .where(inArray(deliveries.notificationId, [...ids]))
    .orderBy(asc(deliveries.receiver));
}

function deliveryOf(row: typeof deliveries.$inferSelect): Delivery {
  const { receiver, state, tries, nextAt, endedAt, problem } = row;
  return {
    receiver,
    state,
    tries,
    ...(state === 'waiting' ? { nextAt: nextAt.toISOString() } : {}),
    ...(endedAt === null ? {} : { endedAt: endedAt.toISOString() }),
    ...(problem === null ? {} : { problem }),
  };
}

function countDeliveries(database: Database): Promise<DeliveryCount[]> {
  return database
    .select({ receiver: deliveries.receiver, state: deliveries.state, deliveries: count() })
    .from(deliveries)
    .groupBy(deliveries.receiver, deliveries.state)
    .orderBy(asc(deliveries.receiver), asc(deliveries.state));
}
