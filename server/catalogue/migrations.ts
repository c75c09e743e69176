/** Changes of the tables in order. One that has run anywhere is never edited: the next one corrects it. */

export interface Migration {
  readonly number: number;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
  {
    number: 1,
    statements: [
      `create table vcenters (
        name text primary key,
        url text not null,
        username text not null,
        certificate_sha256 text not null,
        added_at timestamptz(3) not null,
        version text,
        machine_count integer not null default 0,
        discovered_at timestamptz(3)
      )`,
      `create table machines (
        vcenter_id text not null,
        id text not null,
        name text not null,
        generation text not null,
        view jsonb not null,
        primary key (vcenter_id, id)
      )`,
      `create index machines_by_name on machines (name, id, vcenter_id)`,
      `create table policies (
        id text primary key,
        interval_seconds integer not null,
        retention_hours double precision not null,
        rpo_threshold_seconds integer not null
      )`,
      `create table items (
        id text primary key,
        machine_name text not null,
        state text not null,
        health text not null,
        revision bigint not null,
        view jsonb not null
      )`,
      `create index items_by_machine_name on items (machine_name, id)`,
      `create table jobs (
        id text primary key,
        item_id text not null,
        state text not null,
        started_at timestamptz(3) not null,
        revision bigint not null,
        view jsonb not null
      )`,
      `create index jobs_by_start on jobs (started_at, id)`,
      `create index jobs_by_item on jobs (item_id, started_at)`,
      `create table tokens (
        id text primary key,
        sha256 text not null,
        principal text not null,
        is_revoked boolean not null default false
      )`,
    ],
  },
  {
    number: 2,
    statements: [
      `alter table policies
        add column app_consistent_hours integer,
        add column auto_resync_from_hour integer,
        add column auto_resync_to_hour integer,
        add column failback_interval_seconds integer,
        add column failback_rpo_threshold_seconds integer`,
      // What `policy create` gives a policy that names nothing else.
      `update policies set
        failback_interval_seconds = greatest(interval_seconds, 300),
        failback_rpo_threshold_seconds = greatest(2 * greatest(interval_seconds, 300), 900)`,
      `alter table policies
        alter column failback_interval_seconds set not null,
        alter column failback_rpo_threshold_seconds set not null`,
      // Items whose workflow has ended are told by nobody any more.
      `update items set view = '{"direction": "forward", "paused": false}'::jsonb || view`,
    ],
  },
  {
    number: 3,
    statements: [
      `alter table jobs alter column item_id drop not null`,
      `update jobs set view = (view - 'machineName') || jsonb_build_object('subject', view->'machineName')`,
    ],
  },
  {
    number: 4,
    statements: [
      `create table plan_versions (
        name text not null,
        version integer not null,
        sha256 text not null,
        author text not null,
        applied_at timestamptz(3) not null,
        text text not null,
        plan jsonb not null,
        primary key (name, version)
      )`,
      `alter table machines add column is_gone boolean not null default false`,
    ],
  },
  {
    number: 5,
    statements: [
      `create table notifications (
        id text primary key,
        event text not null,
        at timestamptz(3) not null,
        view jsonb not null,
        is_addressed boolean not null default false
      )`,
      `create index notifications_by_time on notifications (at, id)`,
      `create table notification_deliveries (
        notification_id text not null references notifications (id) on delete cascade,
        receiver text not null,
        state text not null,
        tries integer not null default 0,
        next_at timestamptz(3) not null,
        ended_at timestamptz(3),
        problem text,
        primary key (notification_id, receiver)
      )`,
      `create index notification_deliveries_due on notification_deliveries (receiver, state, next_at)`,
      `create table watches (name text primary key, looked_at timestamptz(3) not null)`,
      `create table watched (
        watch text not null,
        subject text not null,
        state jsonb not null,
        primary key (watch, subject)
      )`,
    ],
  },
  {
    number: 6,
    statements: [
      `create index jobs_succeeded_of_item on jobs (item_id, (view ->> 'kind'), started_at) where state = 'succeeded'`,
      `create index jobs_succeeded_of_plan on jobs ((view ->> 'subject'), (view ->> 'kind'), started_at) where state = 'succeeded' and item_id is null`,
      `create index jobs_succeeded_of_kind on jobs ((view ->> 'kind'), started_at) where state = 'succeeded'`,
    ],
  },
];
