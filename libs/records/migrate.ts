import { START } from '#event-store/port/event-store.js';
import { READER_ROLE } from '#database/database.js';
import { ensureReaderRole, migrateSchema } from '#database/migrate.js';
import { SCHEMA } from './schema.js';

const initial = `
  ${ensureReaderRole}
  grant usage on schema ${SCHEMA} to ${READER_ROLE};

  create table ${SCHEMA}.api_keys (
    id text primary key,
    name text not null,
    prefix text not null,
    hash text not null unique,
    scopes text[] not null,
    created_at text not null,
    revoked_at text,
    last_used_at text
  );

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
  grant select on ${SCHEMA}.customer_contacts to ${READER_ROLE};

  create table ${SCHEMA}.consumer_checkpoints (
    consumer text primary key,
    position text not null
  ) with (fillfactor = 50);
  insert into ${SCHEMA}.consumer_checkpoints values ('inbox', '${START}'), ('settler', '${START}'), ('transfers', '${START}');
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
  create index on ${SCHEMA}.inbox_parked (code, subject);

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
  );
  -- Lost with a crash of the server, it is only asked for again at Stripe.
  create unlogged table ${SCHEMA}.reconciliation_listed (
    run_id bigint not null references ${SCHEMA}.reconciliation_runs on delete cascade,
    object_id text collate "C" not null,
    primary key (run_id, object_id)
  );

  create table ${SCHEMA}.billing_answers (
    intent_id text collate "C" primary key,
    customer_id text collate "C" not null,
    body text not null
  );
  create index on ${SCHEMA}.billing_answers (customer_id);
  create unlogged table ${SCHEMA}.billing_requests (
    subject text collate "C" primary key,
    taken bigint[] not null,
    newest bigint not null
  ) with (fillfactor = 50);
  create index on ${SCHEMA}.billing_requests (newest);`;

/** Brings the schema of the records up to date. Errors: those of migrateSchema. */
export const migrateRecords = (url: string): Promise<void> =>
  migrateSchema(url, { schema: SCHEMA, versions: { '001-initial': initial } });
