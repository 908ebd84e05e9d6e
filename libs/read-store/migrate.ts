import { START } from '#event-store/port/event-store.js';
import type { Clock } from '#kernel/clock.js';
import { ensureProjections } from './generations.js';
import type { Projection } from './projection.js';
import { openReadDatabase, ReadDatabaseError, READER_ROLE, type Session } from './read-database.js';
import { SCHEMA } from './schema.js';

/**
 * The fixed tables, in order. Add at the end; never change one that was released. Projections make their own tables.
 */
const migrations: readonly { readonly id: string; readonly sql: string }[] = [
  {
    id: '001-projection-checkpoints',
    sql: `
      create table ${SCHEMA}.projection_checkpoints (
        name text not null,
        generation int not null,
        version int not null,
        role text not null check (role in ('live', 'building', 'retired')),
        state text not null check (state in ('running', 'halted')),
        position bigint not null,
        tables text[] not null,
        halted_position bigint,
        halted_reason text,
        rebuild_requested boolean not null default false,
        primary key (name, generation)
      ) with (fillfactor = 50);
      create unique index on ${SCHEMA}.projection_checkpoints (name) where role = 'live';
      create unique index on ${SCHEMA}.projection_checkpoints (name) where role = 'building';
      grant select on ${SCHEMA}.projection_checkpoints to ${READER_ROLE};`,
  },
  {
    id: '002-api-keys',
    sql: `
      create table ${SCHEMA}.api_keys (
        id text primary key,
        name text not null,
        prefix text not null,
        hash text not null unique,
        scopes text[] not null,
        created_at text not null,
        revoked_at text,
        last_used_at text
      );`,
  },
  {
    id: '003-customer-contacts',
    sql: `
      create table ${SCHEMA}.customer_contacts (
        customer_id text collate "C" primary key,
        name text,
        email text,
        metadata text not null,
        name_given boolean not null,
        email_given boolean not null,
        version bigint not null,
        updated_at text not null
      );
      alter table ${SCHEMA}.customer_contacts enable row level security;
      create policy own_rows on ${SCHEMA}.customer_contacts for select to ${READER_ROLE}
        using (customer_id = current_setting('scrip.customer_id', true));
      grant select on ${SCHEMA}.customer_contacts to ${READER_ROLE};`,
  },
  {
    id: '004-inbox',
    sql: `
      create table ${SCHEMA}.inbox_checkpoint (
        only_row boolean primary key default true check (only_row),
        position text not null
      ) with (fillfactor = 50);
      insert into ${SCHEMA}.inbox_checkpoint (position) values ('${START}');
      create table ${SCHEMA}.inbox_links (
        stripe_customer_id text collate "C" primary key,
        customer_id text not null,
        owners text not null
      );
      create table ${SCHEMA}.inbox_parked (
        stripe_event_id text collate "C" primary key,
        code text not null,
        subject text
      );
      create index on ${SCHEMA}.inbox_parked (code, subject);`,
  },
  {
    id: '005-reconciliation',
    sql: `
      create table ${SCHEMA}.reconciliation_runs (
        id bigint generated always as identity primary key,
        started_by text not null,
        repair boolean not null,
        since text,
        started_at text not null,
        finished_at text,
        stage int not null,
        after text,
        checked bigint not null
      );
      create table ${SCHEMA}.reconciliation_differences (
        run_id bigint not null references ${SCHEMA}.reconciliation_runs on delete cascade,
        number bigint generated always as identity,
        type text not null,
        object_id text not null,
        stripe text not null,
        ledger text,
        repair text not null,
        told_as text,
        primary key (run_id, number)
      );`,
  },
  {
    id: '006-billing-requests',
    sql: `
      create unlogged table ${SCHEMA}.billing_requests (
        subject text collate "C" primary key,
        taken bigint[] not null,
        newest bigint not null
      ) with (fillfactor = 50);
      create index on ${SCHEMA}.billing_requests (newest);`,
  },
  {
    id: '007-billing-answers',
    sql: `
      create table ${SCHEMA}.billing_answers (
        intent_id text collate "C" primary key,
        customer_id text collate "C" not null,
        body text not null
      );
      create index on ${SCHEMA}.billing_answers (customer_id);`,
  },
  {
    id: '008-reconciliation-listed',
    // Lost with a crash of the server, it is only asked for again at Stripe.
    sql: `
      create unlogged table ${SCHEMA}.reconciliation_listed (
        run_id bigint not null references ${SCHEMA}.reconciliation_runs on delete cascade,
        object_id text collate "C" not null,
        primary key (run_id, object_id)
      );`,
  },
];

/**
 * Brings the read schema up to date: fixed tables, the reader role, and an empty first generation of each projection that
 * has none. Safe to run again and by several processes at once. Throws ReadDatabaseError, with a plain message where the
 * user may not create the role.
 */
export async function migrateReadStore<Event>(
  url: string,
  clock: Clock,
  projections: readonly Projection<Event>[],
): Promise<void> {
  const db = openReadDatabase(url, { clock, poolSize: 1 });
  try {
    const session = await db.session('migrate');
    try {
      await session.transaction(migrateFixedTables);
      await ensureProjections(session, projections);
    } finally {
      await session.close();
    }
  } finally {
    await db.close();
  }
}

async function migrateFixedTables(session: Session): Promise<void> {
  await session.query({ text: `select pg_advisory_xact_lock(hashtextextended('${SCHEMA}/migrate', 0))` });
  await createReaderRole(session);
  await session.script(`
    create schema if not exists ${SCHEMA};
    grant usage on schema ${SCHEMA} to ${READER_ROLE};
    create table if not exists ${SCHEMA}.migrations (id text primary key, applied_at timestamptz not null default now())`);
  const done = await session.query<{ id: string }>({ text: `select id from ${SCHEMA}.migrations` });
  for (const { id, sql } of migrations) {
    if (done.some((row) => row.id === id)) continue;
    await session.script(sql);
    await session.query({ text: `insert into ${SCHEMA}.migrations (id) values ($1)`, values: [id] });
  }
}

/** Roles belong to the whole server: another database's migration may be making the same one right now. */
async function createReaderRole(session: Session): Promise<void> {
  try {
    await session.script(`
      do $$
      begin
        if not exists (select from pg_roles where rolname = '${READER_ROLE}') then
          create role ${READER_ROLE} nologin;
        end if;
      exception when duplicate_object or unique_violation then null;
      end $$;
      do $$
      begin
        set local role ${READER_ROLE};
        reset role;
      exception when insufficient_privilege then
        execute format('grant ${READER_ROLE} to %I', current_user);
      end $$`);
  } catch (error) {
    if (!(error instanceof ReadDatabaseError) || error.sqlState !== '42501') throw error;
    throw new ReadDatabaseError(
      error.sqlState,
      `the database user may not set up the role ${READER_ROLE}; run once as an administrator: ` +
        `create role ${READER_ROLE} nologin; grant ${READER_ROLE} to <the database user>`,
      { cause: error },
    );
  }
}
