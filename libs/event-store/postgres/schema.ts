import { DatabaseError } from '#database/errors.js';
import { migrateSchema } from '#database/migrate.js';
import { StoreUnavailable } from '../port/event-store.js';

/** Advisory locks are shared by the whole database: the log's has a first number of its own, 'SCRP' in ASCII. */
const appendLock = '1396920656, 1';

/** Every position from 1 to the newest is taken: one function assigns them under one lock. */
const initial = `
  create table scrip_log.events (
    position bigint primary key,
    revision integer not null check (revision >= 0),
    schema_version integer not null,
    id uuid not null,
    stream text collate "C" not null,
    type text collate "C" not null,
    prev_hash bytea not null,
    hash bytea not null,
    data text not null,
    metadata text not null
  );
  create unique index events_by_stream on scrip_log.events (stream, revision);
  create unique index events_by_id on scrip_log.events (id);

  create type scrip_log.new_event as (
    append integer,
    revision integer,
    schema_version integer,
    id uuid,
    stream text,
    type text,
    prev_hash bytea,
    hash bytea,
    data text,
    metadata text
  );

  -- Appends to streams[i] at expected[i] the events whose "append" is i. Those whose stream stands elsewhere, and with
  -- check_ids those with a known id, come back in "rejected"; the others are stored at head + 1, head + 2, …
  -- The caller knows where all streams but the first "unsure" ones stood when the event at "end_position" with "end_hash" was the
  -- newest of the log. If it is still, only those first ones are looked up. Should another have been written all the same, the
  -- index refuses its taken revision; and none can be shorter: nothing leaves the log.
  -- The newest revision is looked for from the expected one on: without that bound, all of the stream that is on its page of the
  -- index is read first. Ids are looked up one by one, whatever the table's size was when that was planned.
  create function scrip_log.append_after(
    end_position bigint, end_hash bytea, unsure integer,
    streams text[], expected integer[], new_events scrip_log.new_event[], check_ids boolean, out head bigint, out rejected integer[]
  ) language plpgsql as $$
  declare
    newest bytea;
  begin
    perform pg_advisory_xact_lock(${appendLock});
    select e.position, e.hash into head, newest from scrip_log.events e order by e.position desc limit 1;
    if head = end_position and newest = end_hash then
      streams := streams[:unsure];
      expected := expected[:unsure];
    end if;
    head := coalesce(head, 0);
    rejected := '{}';
    if cardinality(streams) > 0 then
      select coalesce(array_agg(a.i), '{}') into rejected
        from unnest(streams, expected) with ordinality a (stream, revision, i)
       where a.revision is distinct from coalesce(
         (select e.revision from scrip_log.events e where e.stream = a.stream and e.revision >= a.revision
           order by e.revision desc limit 1), -1);
    end if;
    if check_ids then
      rejected := rejected || array(
        select n.append from unnest(new_events) n where (select e.id from scrip_log.events e where e.id = n.id) is not null);
    end if;
    if cardinality(rejected) > 0 then
      new_events := array(
        select row(n.append, n.revision, n.schema_version, n.id, n.stream, n.type, n.prev_hash, n.hash, n.data, n.metadata)::scrip_log.new_event
          from unnest(new_events) with ordinality n (append, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata, i)
         where n.append <> all (rejected) order by n.i);
    end if;
    insert into scrip_log.events (position, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata)
      select head + n.i, n.revision, n.schema_version, n.id, n.stream, n.type, n.prev_hash, n.hash, n.data, n.metadata
        from unnest(new_events) with ordinality n (append, revision, schema_version, id, stream, type, prev_hash, hash, data, metadata, i);
  end $$;

  create table scrip_log.snapshots (
    stream text collate "C",
    version integer,
    revision integer,
    position text collate "C" not null,
    hash text not null,
    recorded_at text collate "C" not null,
    state text not null,
    primary key (stream, version, revision)
  );
`;

/**
 * Brings schema `scrip_log` to its newest version. Safe to repeat, and when several processes start at once. Throws
 * StoreUnavailable when PostgreSQL cannot be reached or does not let us in.
 */
export async function migrateEventStore(url: string): Promise<void> {
  try {
    await migrateSchema(url, { schema: 'scrip_log', versions: { '001-initial': initial } });
  } catch (cause) {
    if (!(cause instanceof DatabaseError) || cause.sqlState !== null) throw cause;
    throw new StoreUnavailable(cause.message, { cause });
  }
}
